/* The guest agent as bytes: agent_image .. agent_image_end (builder/agent_image.h). */
	.section .rodata
	.balign 16
	.global agent_image
	.global agent_image_end
agent_image:
	.incbin AGENT
agent_image_end:
	.section .note.GNU-stack,"",@progbits
