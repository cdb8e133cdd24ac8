#include "builder/stepmounts.h"

#include <stdio.h>
#include <string.h>

void step_mounts_release(struct step_mounts *m)
{
	free(m->script_target);
	for (size_t i = 0; i < m->env.n; i++) /* values of secrets */
		explicit_bzero(m->env.at[i], strlen(m->env.at[i]));
	strv_release(&m->env);
	strv_release(&m->ssh_ids);
}

static struct proto_mount *add(struct step_mounts *ret, const struct mount *m, uint8_t kind)
{
	struct proto_mount *p = &ret->at[ret->n++];

	*p = (struct proto_mount){ .kind = kind,
				   .flags = m->is_writable ? PROTO_MOUNT_WRITABLE : 0,
				   .disk = PROTO_NO_DISK,
				   .from_disk = PROTO_NO_DISK,
				   .mode = m->mode,
				   .uid = m->uid,
				   .gid = m->gid,
				   .size_bytes = m->size_bytes,
				   .root = "",
				   .source = "",
				   .from_root = "",
				   .target = m->target };
	return p;
}

static void add_bind(const struct step_disks *d, const struct mount *m,
		     const struct context_selection *s, struct step_mounts *ret)
{
	struct proto_mount *p = add(ret, m, PROTO_MOUNT_BIND);
	char *root = ret->roots[ret->n - 1];

	p->source = m->source;
	if (m->from.kind == TREE_CONTEXT) {
		step_disks_root(d, s, root);
		p->root = root;
	}
	if (m->is_writable)
		p->disk = step_disks_writable(d, m);
	else
		p->disk = m->from.kind == TREE_CONTEXT ? step_disks_context(d)
						       : step_disks_tree(d, &m->from);
}

static void add_cache(const struct step_disks *d, const struct mount *m,
		      struct step_mounts *ret)
{
	struct proto_mount *p = add(ret, m, PROTO_MOUNT_CACHE);

	p->disk = step_disks_cache(d, m);
	p->root = "content";
	p->source = m->source;
	if (m->from.kind != TREE_EMPTY)
		p->from_disk = step_disks_tree(d, &m->from);
}

static int add_secret(const struct mount *m, const struct secrets *secrets,
		      struct step_mounts *ret, struct err **e)
{
	const struct secret *secret = secrets ? secrets_find(secrets, m->id) : NULL;
	struct proto_mount *p;

	if (!secret && m->is_required)
		return err_set(e, ERR_NOTFOUND,
			       "secret %s: not found: give it with --secret id=%s,src=FILE",
			       m->id, m->id);
	if (!secret)
		return 0;
	if (*m->env && memchr(secret->bytes, '\0', secret->n))
		return err_set(e, ERR_USAGE,
			       "secret %s holds a NUL byte: it can be a file, but no variable",
			       m->id);
	if (*m->env)
		strv_pushf(&ret->env, "%s=%s", m->env, secret->bytes);
	if (!*m->target)
		return 0;
	p = add(ret, m, PROTO_MOUNT_FILE);
	p->content = (const uint8_t *)secret->bytes;
	p->content_bytes = (uint32_t)secret->n;
	return 0;
}

static int add_ssh(const struct mount *m, const struct ssh_agents *ssh, struct step_mounts *ret,
		   struct err **e)
{
	struct proto_mount *p;
	char *name;

	if (!ssh_agents_has(ssh, m->id)) {
		if (m->is_required)
			return err_set(e, ERR_NOTFOUND,
				       "unset ssh forward key %s: give it with --ssh %s", m->id,
				       m->id);
		return 0;
	}
	p = add(ret, m, PROTO_MOUNT_SOCKET);
	name = ret->sockets[ret->n - 1];
	snprintf(name, sizeof(ret->sockets[0]), "ssh.%zu", ret->ssh_ids.n);
	p->source = name;
	if (!ret->ssh_ids.n)
		strv_pushf(&ret->env, "SSH_AUTH_SOCK=%s", m->target);
	strv_push(&ret->ssh_ids, m->id);
	return 0;
}

static void add_script(const struct step *step, struct step_mounts *ret)
{
	struct mount m = { .mode = 0755 };
	struct proto_mount *p;

	ret->script_target = xasprintf("/dev/pipes/%s", step->script_name);
	m.target = ret->script_target;
	p = add(ret, &m, PROTO_MOUNT_FILE);
	p->content = (const uint8_t *)step->script.at;
	p->content_bytes = (uint32_t)step->script.len;
}

int step_mounts_fill(const struct step_disks *d, const struct stage_step *s,
		     const struct secrets *secrets, const struct ssh_agents *ssh,
		     struct step_mounts *ret, struct err **e)
{
	*ret = (struct step_mounts){ 0 };
	for (size_t i = 0; i < s->plan->mounts.n; i++) {
		const struct mount *m = &s->plan->mounts.at[i];

		if (m->kind == MOUNT_BIND)
			add_bind(d, m, &s->binds.at[i], ret);
		else if (m->kind == MOUNT_CACHE)
			add_cache(d, m, ret);
		else if (m->kind == MOUNT_TMPFS)
			add(ret, m, PROTO_MOUNT_TMPFS);
		else if (m->kind == MOUNT_SECRET ? add_secret(m, secrets, ret, e)
						 : add_ssh(m, ssh, ret, e))
			return -1;
	}
	if (s->plan->script_name)
		add_script(s->plan, ret);
	return 0;
}
