#include "proto.h"

#include <string.h>

static void store(uint8_t *at, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t load(const uint8_t *at, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

int proto_header_decode(const uint8_t at[PROTO_HEADER_BYTES], struct proto_header *ret)
{
	struct proto_header h = {
		.bytes = (uint32_t)load(at, 4),
		.type = at[4],
		.stream = at[5],
		.flags = (uint16_t)load(at + 6, 2),
		.id = (uint32_t)load(at + 8, 4),
	};

	if (h.bytes > PROTO_PAYLOAD_MAX || h.stream > 2 || (h.flags & ~PROTO_MORE))
		return -1;
	*ret = h;
	return 0;
}

void proto_header_encode(const struct proto_header *h, uint8_t ret[PROTO_HEADER_BYTES])
{
	store(ret, h->bytes, 4);
	ret[4] = h->type;
	ret[5] = h->stream;
	store(ret + 6, h->flags, 2);
	store(ret + 8, h->id, 4);
}

void proto_put(struct proto_out *o, const void *bytes, size_t n)
{
	if (o->is_full || n > o->cap - o->len) {
		o->is_full = true;
		return;
	}
	if (n)
		memcpy(o->at + o->len, bytes, n);
	o->len += n;
}

static void put_number(struct proto_out *o, uint64_t v, int bytes)
{
	uint8_t le[8];

	store(le, v, bytes);
	proto_put(o, le, (size_t)bytes);
}

void proto_put_u8(struct proto_out *o, uint8_t v)
{
	put_number(o, v, 1);
}

void proto_put_u16(struct proto_out *o, uint16_t v)
{
	put_number(o, v, 2);
}

void proto_put_u32(struct proto_out *o, uint32_t v)
{
	put_number(o, v, 4);
}

void proto_put_u64(struct proto_out *o, uint64_t v)
{
	put_number(o, v, 8);
}

void proto_put_string(struct proto_out *o, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n > PROTO_REQUEST_MAX) {
		o->is_full = true;
		return;
	}
	proto_put_u32(o, (uint32_t)n);
	proto_put(o, s ? s : "", n + 1);
}

void proto_put_strings(struct proto_out *o, const struct proto_strings *v)
{
	if (v->n > PROTO_STRINGS_MAX) {
		o->is_full = true;
		return;
	}
	proto_put_u32(o, (uint32_t)v->n);
	for (size_t i = 0; i < v->n; i++)
		proto_put_string(o, v->at[i]);
}

const void *proto_get(struct proto_in *in, size_t n)
{
	const uint8_t *at = in->at;

	if (in->is_bad || n > in->left) {
		in->is_bad = true;
		return NULL;
	}
	in->at += n;
	in->left -= n;
	return at;
}

static uint64_t get_number(struct proto_in *in, int bytes)
{
	const uint8_t *at = proto_get(in, (size_t)bytes);

	return at ? load(at, bytes) : 0;
}

uint8_t proto_get_u8(struct proto_in *in)
{
	return (uint8_t)get_number(in, 1);
}

uint16_t proto_get_u16(struct proto_in *in)
{
	return (uint16_t)get_number(in, 2);
}

uint32_t proto_get_u32(struct proto_in *in)
{
	return (uint32_t)get_number(in, 4);
}

uint64_t proto_get_u64(struct proto_in *in)
{
	return get_number(in, 8);
}

const char *proto_get_string(struct proto_in *in)
{
	size_t n = proto_get_u32(in);
	const char *s = n < SIZE_MAX ? proto_get(in, n + 1) : NULL;

	if (!s || memchr(s, '\0', n + 1) != s + n) {
		in->is_bad = true;
		return "";
	}
	return s;
}

void proto_get_strings(struct proto_in *in, struct proto_strings *ret)
{
	size_t n = proto_get_u32(in);

	ret->n = 0;
	if (n >= ret->cap)
		in->is_bad = true;
	while (!in->is_bad && ret->n < n)
		ret->at[ret->n++] = proto_get_string(in);
	if (ret->cap)
		ret->at[ret->n] = NULL;
}

int proto_end(const struct proto_in *in)
{
	return in->is_bad || in->left ? -1 : 0;
}

void proto_setup_encode(struct proto_out *o, const struct proto_setup *s)
{
	proto_put_u32(o, s->flags);
	proto_put_string(o, s->hostname);
	proto_put_u32(o, s->n_disks);
	for (uint32_t i = 0; i < s->n_disks; i++) {
		proto_put_u8(o, s->disks[i].flags);
		proto_put_string(o, s->disks[i].serial);
	}
}

int proto_setup_decode(const uint8_t *at, size_t n, struct proto_setup *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->flags = proto_get_u32(&in);
	ret->hostname = proto_get_string(&in);
	ret->n_disks = proto_get_u32(&in);
	if (ret->n_disks > PROTO_DISKS_MAX)
		return -1;
	for (uint32_t i = 0; i < ret->n_disks; i++) {
		ret->disks[i].flags = proto_get_u8(&in);
		ret->disks[i].serial = proto_get_string(&in);
	}
	return proto_end(&in);
}

static void put_mount(struct proto_out *o, const struct proto_mount *m)
{
	proto_put_u8(o, m->kind);
	proto_put_u8(o, m->flags);
	proto_put_u32(o, m->disk);
	proto_put_u32(o, m->from_disk);
	proto_put_u32(o, m->mode);
	proto_put_u32(o, m->uid);
	proto_put_u32(o, m->gid);
	proto_put_u64(o, m->size_bytes);
	proto_put_string(o, m->root);
	proto_put_string(o, m->source);
	proto_put_string(o, m->from_root);
	proto_put_string(o, m->target);
	proto_put_u32(o, m->content_bytes);
	proto_put(o, m->content, m->content_bytes);
}

static void get_mount(struct proto_in *in, struct proto_mount *ret)
{
	ret->kind = proto_get_u8(in);
	ret->flags = proto_get_u8(in);
	ret->disk = proto_get_u32(in);
	ret->from_disk = proto_get_u32(in);
	ret->mode = proto_get_u32(in);
	ret->uid = proto_get_u32(in);
	ret->gid = proto_get_u32(in);
	ret->size_bytes = proto_get_u64(in);
	ret->root = proto_get_string(in);
	ret->source = proto_get_string(in);
	ret->from_root = proto_get_string(in);
	ret->target = proto_get_string(in);
	ret->content_bytes = proto_get_u32(in);
	ret->content = proto_get(in, ret->content_bytes);
}

void proto_exec_encode(struct proto_out *o, const struct proto_exec *x)
{
	proto_put_u32(o, x->flags);
	proto_put_u16(o, x->rows);
	proto_put_u16(o, x->cols);
	proto_put_string(o, x->user);
	proto_put_string(o, x->cwd);
	proto_put_strings(o, &x->argv);
	proto_put_strings(o, &x->env);
	proto_put_u32(o, x->n_mounts);
	for (uint32_t i = 0; i < x->n_mounts; i++)
		put_mount(o, &x->mounts[i]);
}

int proto_exec_decode(const uint8_t *at, size_t n, struct proto_exec *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->flags = proto_get_u32(&in);
	ret->rows = proto_get_u16(&in);
	ret->cols = proto_get_u16(&in);
	ret->user = proto_get_string(&in);
	ret->cwd = proto_get_string(&in);
	proto_get_strings(&in, &ret->argv);
	proto_get_strings(&in, &ret->env);
	ret->n_mounts = proto_get_u32(&in);
	if (ret->n_mounts > PROTO_MOUNTS_MAX)
		return -1;
	for (uint32_t i = 0; i < ret->n_mounts; i++)
		get_mount(&in, &ret->mounts[i]);
	return ret->argv.n ? proto_end(&in) : -1;
}

void proto_selection_encode(struct proto_out *o, const struct proto_selection *s)
{
	proto_put_u32(o, s->flags);
	proto_put_u32(o, s->disk);
	proto_put_string(o, s->root);
	proto_put_strings(o, &s->sources);
	proto_put_strings(o, &s->excludes);
}

static void get_selection(struct proto_in *in, struct proto_selection *ret)
{
	ret->flags = proto_get_u32(in);
	ret->disk = proto_get_u32(in);
	ret->root = proto_get_string(in);
	proto_get_strings(in, &ret->sources);
	proto_get_strings(in, &ret->excludes);
}

int proto_selection_decode(const uint8_t *at, size_t n, struct proto_selection *ret)
{
	struct proto_in in = { .at = at, .left = n };

	get_selection(&in, ret);
	return proto_end(&in);
}

void proto_copy_encode(struct proto_out *o, const struct proto_copy *c)
{
	proto_put_u32(o, c->flags);
	proto_put_string(o, c->dest);
	proto_put_string(o, c->chown);
	proto_put_string(o, c->chmod);
	proto_selection_encode(o, &c->from);
}

int proto_copy_decode(const uint8_t *at, size_t n, struct proto_copy *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->flags = proto_get_u32(&in);
	ret->dest = proto_get_string(&in);
	ret->chown = proto_get_string(&in);
	ret->chmod = proto_get_string(&in);
	get_selection(&in, &ret->from);
	return proto_end(&in);
}

void proto_mkdir_encode(struct proto_out *o, const struct proto_mkdir *m)
{
	proto_put_string(o, m->path);
	proto_put_string(o, m->user);
}

int proto_mkdir_decode(const uint8_t *at, size_t n, struct proto_mkdir *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->path = proto_get_string(&in);
	ret->user = proto_get_string(&in);
	return proto_end(&in);
}

void proto_probe_encode(struct proto_out *o, const struct proto_probe *p)
{
	proto_put_u8(o, p->kind);
	proto_put_string(o, p->what);
}

int proto_probe_decode(const uint8_t *at, size_t n, struct proto_probe *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->kind = proto_get_u8(&in);
	ret->what = proto_get_string(&in);
	return proto_end(&in);
}

void proto_identify_encode(struct proto_out *o, const struct proto_identify *i)
{
	proto_put_u64(o, (uint64_t)i->now_sec);
	proto_put_u32(o, i->now_nsec);
	proto_put(o, i->seed, sizeof(i->seed));
	proto_put_string(o, i->hostname);
	proto_put_string(o, i->machine_id);
	proto_put_strings(o, &i->env);
}

int proto_identify_decode(const uint8_t *at, size_t n, struct proto_identify *ret)
{
	struct proto_in in = { .at = at, .left = n };
	const void *seed;

	ret->now_sec = (int64_t)proto_get_u64(&in);
	ret->now_nsec = proto_get_u32(&in);
	seed = proto_get(&in, sizeof(ret->seed));
	if (seed)
		memcpy(ret->seed, seed, sizeof(ret->seed));
	ret->hostname = proto_get_string(&in);
	ret->machine_id = proto_get_string(&in);
	proto_get_strings(&in, &ret->env);
	return proto_end(&in);
}

void proto_fail_encode(struct proto_out *o, const struct proto_fail *f)
{
	proto_put_u32(o, f->code);
	proto_put_u32(o, (uint32_t)f->sys);
	proto_put_string(o, f->msg);
}

int proto_fail_decode(const uint8_t *at, size_t n, struct proto_fail *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->code = proto_get_u32(&in);
	ret->sys = (int32_t)proto_get_u32(&in);
	ret->msg = proto_get_string(&in);
	return proto_end(&in);
}

void proto_exit_encode(struct proto_out *o, const struct proto_exit *x)
{
	proto_put_u32(o, (uint32_t)x->status);
	proto_put_u32(o, (uint32_t)x->signal);
	proto_put_u32(o, x->flags);
}

static void get_exit(struct proto_in *in, struct proto_exit *ret)
{
	ret->status = (int32_t)proto_get_u32(in);
	ret->signal = (int32_t)proto_get_u32(in);
	ret->flags = proto_get_u32(in);
}

int proto_exit_decode(const uint8_t *at, size_t n, struct proto_exit *ret)
{
	struct proto_in in = { .at = at, .left = n };

	get_exit(&in, ret);
	return proto_end(&in);
}

void proto_service_encode(struct proto_out *o, const struct proto_service *s)
{
	proto_put_u32(o, s->flags);
	proto_exit_encode(o, &s->exit);
	proto_put_u64(o, s->total_bytes);
	proto_put_u32(o, s->tail_bytes);
	proto_put(o, s->tail, s->tail_bytes);
}

int proto_service_decode(const uint8_t *at, size_t n, struct proto_service *ret)
{
	struct proto_in in = { .at = at, .left = n };

	ret->flags = proto_get_u32(&in);
	get_exit(&in, &ret->exit);
	ret->total_bytes = proto_get_u64(&in);
	ret->tail_bytes = proto_get_u32(&in);
	ret->tail = proto_get(&in, ret->tail_bytes);
	return proto_end(&in);
}
