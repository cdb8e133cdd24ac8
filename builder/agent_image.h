/* agent_image.h - the guest agent, a static program, embedded in kiln (agent_image.S). */
#ifndef BUILDER_AGENT_IMAGE_H
#define BUILDER_AGENT_IMAGE_H

extern const unsigned char agent_image[];
extern const unsigned char agent_image_end[];

#endif
