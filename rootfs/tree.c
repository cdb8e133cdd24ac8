#include "tree.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

enum { BUCKETS_MIN = 1024 };

static uint32_t hash_name(const struct tree *t, uint32_t folder, const char *name, size_t n)
{
	uint64_t h = t->hash_seed ^ folder;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3;
	return (uint32_t)(h ^ h >> 32);
}

static struct tree_node *node_at(const struct tree *t, uint32_t node)
{
	return &t->nodes.at[node];
}

static struct tree_file *file_of(const struct tree *t, uint32_t node)
{
	return &t->files.at[t->nodes.at[node].file];
}

const char *tree_name(const struct tree *t, uint32_t node)
{
	return t->strings.at + node_at(t, node)->name;
}

bool tree_is_folder(const struct tree *t, uint32_t node)
{
	return S_ISDIR(file_of(t, node)->mode);
}

static uint32_t *bucket_of(const struct tree *t, uint32_t folder, const char *name, size_t n)
{
	return &t->buckets[hash_name(t, folder, name, n) & (t->n_buckets - 1)];
}

static void rehash(struct tree *t, uint32_t n_buckets)
{
	free(t->buckets);
	t->n_buckets = n_buckets;
	t->buckets = xmalloc(n_buckets * sizeof(*t->buckets));
	memset(t->buckets, 0xff, n_buckets * sizeof(*t->buckets)); /* TREE_NONE */
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		struct tree_node *node = node_at(t, i);
		const char *name = tree_name(t, i);
		uint32_t *bucket;

		if (node->file == TREE_NONE || i == TREE_ROOT)
			continue;
		bucket = bucket_of(t, node->parent, name, strlen(name));
		node->bucket_next = *bucket;
		*bucket = i;
	}
}

uint32_t tree_child(const struct tree *t, uint32_t folder, const char *name, size_t n)
{
	uint32_t i = *bucket_of(t, folder, name, n);

	for (; i != TREE_NONE; i = node_at(t, i)->bucket_next) {
		const char *other = tree_name(t, i);

		if (node_at(t, i)->parent == folder && strncmp(other, name, n) == 0 &&
		    !other[n])
			return i;
	}
	return TREE_NONE;
}

static int add_string(struct tree *t, const char *s, size_t n, uint32_t *ret, struct err **e)
{
	if (t->strings.len + n + 1 > LIMIT_STRING_BYTES)
		return err_set(e, ERR_LIMIT, "more than %llu MiB of names",
			       LIMIT_STRING_BYTES >> 20);
	*ret = (uint32_t)t->strings.len;
	str_addn(&t->strings, s, n);
	str_addc(&t->strings, '\0');
	return 0;
}

static uint32_t new_file(struct tree *t)
{
	uint32_t i;

	if (t->free_files.n) {
		i = t->free_files.at[--t->free_files.n];
		t->files.at[i] = (struct tree_file){ 0 };
		return i;
	}
	i = (uint32_t)t->files.n;
	vec_push(&t->files, (struct tree_file){ 0 });
	return i;
}

static uint32_t new_node(struct tree *t)
{
	uint32_t i;

	t->n_nodes++;
	if (t->free_nodes.n)
		return t->free_nodes.at[--t->free_nodes.n];
	i = (uint32_t)t->nodes.n;
	vec_push(&t->nodes, (struct tree_node){ 0 });
	return i;
}

static void make_implicit(struct tree_file *f)
{
	*f = (struct tree_file){ .mode = S_IFDIR | 0755, .n_links = 1, .number = f->number };
}

struct tree *tree_new(const struct rootfs_limits *limits)
{
	struct tree *t = xcalloc(1, sizeof(*t));
	uint32_t root;

	fs_random(&t->hash_seed, sizeof(t->hash_seed));
	t->max_nodes = limits->entries;
	t->max_depth = limits->depth;
	t->strings = t->xattrs = (struct str)STR_INIT;
	str_addc(&t->strings, '\0'); /* the root's name */
	root = new_node(t);
	*node_at(t, root) = (struct tree_node){
		.file = new_file(t),
		.parent = TREE_ROOT,
		.first = TREE_NONE,
		.next = TREE_NONE,
		.prev = TREE_NONE,
		.bucket_next = TREE_NONE,
	};
	make_implicit(file_of(t, root));
	rehash(t, BUCKETS_MIN);
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	vec_release(&t->nodes);
	vec_release(&t->files);
	vec_release(&t->free_nodes);
	vec_release(&t->free_files);
	vec_release(&t->extents);
	str_release(&t->strings);
	str_release(&t->xattrs);
	free(t->buckets);
	free(t);
}

/* Takes the node of file `file` into folder under name; the name is free. */
static int attach(struct tree *t, uint32_t folder, const char *name, size_t n, uint32_t file,
		  unsigned layer, uint32_t *ret, struct err **e)
{
	uint16_t depth = (uint16_t)(node_at(t, folder)->depth + 1);
	uint32_t i, string = 0, first, *bucket;

	if (t->n_nodes >= t->max_nodes)
		return err_set(e, ERR_LIMIT, "more than %llu files (limit entries)",
			       (unsigned long long)t->max_nodes);
	if (depth > t->max_depth)
		return err_set(e, ERR_LIMIT, "folders nested deeper than %llu (limit depth)",
			       (unsigned long long)t->max_depth);
	if (add_string(t, name, n, &string, e))
		return -1;
	if (t->n_nodes >= t->n_buckets)
		rehash(t, t->n_buckets * 2);
	i = new_node(t);
	first = node_at(t, folder)->first;
	bucket = bucket_of(t, folder, name, n);
	*node_at(t, i) = (struct tree_node){
		.parent = folder,
		.file = file,
		.name = string,
		.first = TREE_NONE,
		.next = first,
		.prev = TREE_NONE,
		.bucket_next = *bucket,
		.layer = (uint16_t)layer,
		.depth = depth,
	};
	*bucket = i;
	if (first != TREE_NONE)
		node_at(t, first)->prev = i;
	node_at(t, folder)->first = i;
	t->files.at[file].n_links++;
	if (ret)
		*ret = i;
	return 0;
}

static void release_file(struct tree *t, uint32_t file)
{
	struct tree_file *f = &t->files.at[file];

	if (--f->n_links)
		return;
	if (t->drop && S_ISREG(f->mode))
		t->drop(t->arg, f);
	vec_push(&t->free_files, file);
}

/* Takes a node without children out of the tree. */
static void detach(struct tree *t, uint32_t i)
{
	struct tree_node *node = node_at(t, i);
	const char *name = tree_name(t, i);
	uint32_t *link = bucket_of(t, node->parent, name, strlen(name));

	while (*link != i)
		link = &node_at(t, *link)->bucket_next;
	*link = node->bucket_next;
	if (node->prev != TREE_NONE)
		node_at(t, node->prev)->next = node->next;
	else
		node_at(t, node->parent)->first = node->next;
	if (node->next != TREE_NONE)
		node_at(t, node->next)->prev = node->prev;
	release_file(t, node->file);
	node->file = TREE_NONE;
	vec_push(&t->free_nodes, i);
	t->n_nodes--;
}

/* Removes what was named by layers below `layer`, from the leaves up; max_depth bounds the
 * recursion. */
static void remove_lower(struct tree *t, uint32_t i, unsigned layer)
{
	uint32_t child = node_at(t, i)->first;

	while (child != TREE_NONE) {
		uint32_t next = node_at(t, child)->next;

		remove_lower(t, child, layer);
		child = next;
	}
	if (node_at(t, i)->layer >= layer)
		return;
	if (node_at(t, i)->first == TREE_NONE) {
		detach(t, i);
		return;
	}
	/* This layer has put something inside already: the folder stays, as it is. */
	node_at(t, i)->layer = (uint16_t)layer;
}

static void remove_all(struct tree *t, uint32_t i)
{
	remove_lower(t, i, UINT16_MAX);
}

/*
 * A walk from the root along a path. `rest` is what is still to come: following a symlink puts
 * its target in front. Folders that are missing are noted and made at the end: a ".." may lead
 * out of them again ("c/../a" makes no c).
 */
struct walk {
	struct tree *t;
	uint32_t at;
	struct str rest;
	size_t done;         /* of rest */
	struct strv missing; /* below at */
	unsigned hops;
	bool makes_folders;
	unsigned layer;
};

static int follow(struct walk *w, uint32_t link, struct err **e)
{
	const char *target = w->t->strings.at + file_of(w->t, link)->target;
	struct str rest = STR_INIT;

	if (++w->hops > LIMIT_SYMLINK_HOPS)
		return err_set(e, ERR_CORRUPT, "too many symbolic links in its path");
	str_add(&rest, target);
	str_addc(&rest, '/');
	str_addn(&rest, w->rest.at + w->done, w->rest.len - w->done);
	if (target[0] == '/')
		w->at = TREE_ROOT;
	str_release(&w->rest);
	w->rest = rest;
	w->done = 0;
	return 0;
}

static void step_up(struct walk *w)
{
	if (w->missing.n) {
		free(w->missing.at[--w->missing.n]);
		w->missing.at[w->missing.n] = NULL;
	} else {
		w->at = node_at(w->t, w->at)->parent; /* the root's is the root */
	}
}

/* 1: stepped, 0: there is nothing of that name and none is to be made. */
static int step(struct walk *w, const char *name, size_t n, struct err **e)
{
	uint32_t child;

	if (n == 0 || (n == 1 && name[0] == '.'))
		return 1;
	if (n == 2 && name[0] == '.' && name[1] == '.') {
		step_up(w);
		return 1;
	}
	child = w->missing.n ? (uint32_t)TREE_NONE : tree_child(w->t, w->at, name, n);
	if (child == TREE_NONE) {
		if (!w->makes_folders)
			return 0;
		if (n > LIMIT_NAME_BYTES)
			return err_set(e, ERR_LIMIT, "a component of %zu bytes in its path", n);
		if (w->missing.n >= w->t->max_depth)
			return err_set(e, ERR_LIMIT,
				       "folders nested deeper than %llu (limit depth)",
				       (unsigned long long)w->t->max_depth);
		strv_push_take(&w->missing, xstrndup(name, n));
		return 1;
	}
	if (S_ISLNK(file_of(w->t, child)->mode))
		return follow(w, child, e) ? -1 : 1;
	if (!tree_is_folder(w->t, child)) {
		if (!w->makes_folders)
			return 0;
		return err_set(e, ERR_CORRUPT, "'%.*s' in its path is not a directory", (int)n,
			       name);
	}
	w->at = child;
	return 1;
}

static int make_missing(struct walk *w, struct err **e)
{
	for (size_t i = 0; i < w->missing.n; i++) {
		const char *name = w->missing.at[i];
		uint32_t file = new_file(w->t);

		make_implicit(&w->t->files.at[file]);
		w->t->files.at[file].n_links = 0;
		if (attach(w->t, w->at, name, strlen(name), file, w->layer, &w->at, e))
			return -1;
	}
	return 0;
}

/* Walks all of w->rest. */
static int walk_on(struct walk *w, struct err **e)
{
	while (w->done < w->rest.len) {
		/* step() may replace rest: the name is copied out first. */
		size_t n = strcspn(w->rest.at + w->done, "/");
		autofree char *name = xstrndup(w->rest.at + w->done, n);
		int found;

		w->done += n + (w->rest.at[w->done + n] == '/');
		found = step(w, name, n, e);
		if (found <= 0)
			return found;
	}
	return make_missing(w, e) ? -1 : 1;
}

static void walk_release(struct walk *w)
{
	str_release(&w->rest);
	strv_release(&w->missing);
}

/*
 * Finds the folder that holds path's last component, which *ret_name points at. 1, 0 (not
 * there, only without makes_folders), -1.
 */
static int find_parent(struct tree *t, const char *path, bool makes_folders, unsigned layer,
		       uint32_t *ret_folder, const char **ret_name, struct err **e)
{
	const char *slash = strrchr(path, '/');
	struct walk w = { .t = t,
			  .at = TREE_ROOT,
			  .rest = STR_INIT,
			  .makes_folders = makes_folders,
			  .layer = layer };
	int found;

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		str_addn(&w.rest, path, (size_t)(slash - path));
	found = walk_on(&w, e);
	*ret_folder = w.at;
	walk_release(&w);
	return found;
}

uint32_t tree_find(struct tree *t, const char *path)
{
	struct err *e = NULL;
	const char *name;
	uint32_t folder;
	int found;

	if (!*path)
		return TREE_ROOT;
	found = find_parent(t, path, false, 0, &folder, &name, &e);
	if (found < 0)
		err_drop(&e); /* a loop of symlinks leads nowhere */
	return found > 0 ? tree_child(t, folder, name, strlen(name)) : TREE_NONE;
}

static uint32_t add_xattrs(struct tree *t, const struct str *packed)
{
	uint32_t at = t->last_xattrs, n;

	if (!packed || !packed->len)
		return 0;
	if (at) {
		memcpy(&n, t->xattrs.at + at - 1, sizeof(n));
		if (n == packed->len && memcmp(t->xattrs.at + at - 1 + 4, packed->at, n) == 0)
			return at;
	}
	n = (uint32_t)packed->len;
	t->last_xattrs = (uint32_t)t->xattrs.len + 1;
	str_addn(&t->xattrs, &n, sizeof(n));
	str_addn(&t->xattrs, packed->at, packed->len);
	return t->last_xattrs;
}

static int fill_file(struct tree *t, uint32_t file, const struct tree_meta *m, struct err **e)
{
	struct tree_file *f = &t->files.at[file];
	uint32_t target = 0;

	if (t->xattrs.len > LIMIT_STRING_BYTES)
		return err_set(e, ERR_LIMIT, "more than %llu MiB of extended attributes",
			       LIMIT_STRING_BYTES >> 20);
	if (S_ISLNK(m->mode) && add_string(t, m->target, strlen(m->target), &target, e))
		return -1;
	f->mode = (uint16_t)m->mode;
	f->uid = m->uid;
	f->gid = m->gid;
	f->mtime_sec = m->mtime_sec;
	f->mtime_nsec = m->mtime_nsec;
	f->xattrs = add_xattrs(t, m->xattrs);
	f->target = target;
	if (S_ISREG(m->mode))
		f->size_bytes = m->size_bytes;
	if (S_ISLNK(m->mode))
		f->size_bytes = strlen(m->target);
	if (S_ISCHR(m->mode) || S_ISBLK(m->mode)) {
		f->rdev_major = m->rdev_major;
		f->rdev_minor = m->rdev_minor;
	}
	return 0;
}

/* A folder over a folder: only what it is changes, not what it holds. */
static int update_folder(struct tree *t, uint32_t node, const struct tree_meta *m,
			 unsigned layer, uint32_t *ret_file, struct err **e)
{
	node_at(t, node)->layer = (uint16_t)layer;
	if (ret_file)
		*ret_file = node_at(t, node)->file;
	return fill_file(t, node_at(t, node)->file, m, e);
}

int tree_add(struct tree *t, const char *path, const struct tree_meta *m, unsigned layer,
	     uint32_t *ret_file, struct err **e)
{
	uint32_t folder, old, file;
	const char *name;

	if (!*path && !S_ISDIR(m->mode))
		return err_set(e, ERR_CORRUPT, "the root is not a directory");
	if (!*path)
		return update_folder(t, TREE_ROOT, m, layer, ret_file, e);
	if (find_parent(t, path, true, layer, &folder, &name, e) < 0)
		return -1;
	old = tree_child(t, folder, name, strlen(name));
	if (old != TREE_NONE && S_ISDIR(m->mode) && tree_is_folder(t, old))
		return update_folder(t, old, m, layer, ret_file, e);
	if (old != TREE_NONE)
		remove_all(t, old);
	file = new_file(t);
	if (fill_file(t, file, m, e))
		return -1;
	if (ret_file)
		*ret_file = file;
	return attach(t, folder, name, strlen(name), file, layer, NULL, e);
}

int tree_link_file(struct tree *t, const char *path, uint32_t file, unsigned layer,
		   struct err **e)
{
	uint32_t folder, old;
	const char *name;

	if (t->files.at[file].n_links >= LIMIT_HARD_LINKS)
		return err_set(e, ERR_LIMIT, "more than %d hard links to one file",
			       LIMIT_HARD_LINKS);
	if (!*path)
		return err_set(e, ERR_CORRUPT, "the root is not a directory");
	if (find_parent(t, path, true, layer, &folder, &name, e) < 0)
		return -1;
	old = tree_child(t, folder, name, strlen(name));
	if (old != TREE_NONE && node_at(t, old)->file == file) {
		node_at(t, old)->layer = (uint16_t)layer; /* it is one of its names already */
		return 0;
	}
	t->files.at[file].n_links++; /* what goes may hold the target's last name */
	if (old != TREE_NONE)
		remove_all(t, old);
	t->files.at[file].n_links--;
	return attach(t, folder, name, strlen(name), file, layer, NULL, e);
}

int tree_link(struct tree *t, const char *path, const char *to, unsigned layer, struct err **e)
{
	uint32_t target = tree_find(t, to);

	if (target == TREE_NONE)
		return err_set(e, ERR_CORRUPT, "hard link to '%.300s', which is not there", to);
	if (tree_is_folder(t, target))
		return err_set(e, ERR_CORRUPT, "hard link to '%.300s', which is a directory",
			       to);
	/* Container engines take what is at path away first, and then have nothing to link to.
	 */
	if (tree_find(t, path) == target)
		return err_set(e, ERR_CORRUPT, "a hard link to itself");
	return tree_link_file(t, path, node_at(t, target)->file, layer, e);
}

int tree_whiteout(struct tree *t, const char *path, unsigned layer, struct err **e)
{
	uint32_t folder, node;
	const char *name;
	int found = find_parent(t, path, false, layer, &folder, &name, e);

	if (found <= 0)
		return found;
	node = tree_child(t, folder, name, strlen(name));
	if (node != TREE_NONE)
		remove_lower(t, node, layer);
	return 0;
}

int tree_opaque(struct tree *t, const char *path, unsigned layer, struct err **e)
{
	uint32_t child;
	struct walk w = { .t = t, .at = TREE_ROOT, .rest = STR_INIT };
	int found;

	str_add(&w.rest, path);
	found = walk_on(&w, e);
	walk_release(&w);
	if (found <= 0)
		return found;
	child = node_at(t, w.at)->first;
	while (child != TREE_NONE) {
		uint32_t next = node_at(t, child)->next;

		remove_lower(t, child, layer);
		child = next;
	}
	return 0;
}

void tree_path(const struct tree *t, uint32_t node, struct str *ret)
{
	VEC(uint32_t) chain = { 0 };

	for (; node != TREE_ROOT; node = node_at(t, node)->parent)
		vec_push(&chain, node);
	if (!chain.n)
		str_addc(ret, '/');
	while (chain.n) {
		const char *name = tree_name(t, chain.at[--chain.n]);

		str_add_visible(ret, name, strlen(name));
		if (chain.n)
			str_addc(ret, '/');
	}
	vec_release(&chain);
}

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct tree *t = arg;

	return strcmp(tree_name(t, *(const uint32_t *)a), tree_name(t, *(const uint32_t *)b));
}

static void sort_folder(struct tree *t, uint32_t folder)
{
	VEC(uint32_t) v = { 0 };

	for (uint32_t i = node_at(t, folder)->first; i != TREE_NONE; i = node_at(t, i)->next)
		vec_push(&v, i);
	if (v.n > 1)
		qsort_r(v.at, v.n, sizeof(*v.at), compare_names, t);
	for (size_t i = 0; i < v.n; i++) {
		node_at(t, v.at[i])->next = i + 1 < v.n ? v.at[i + 1] : (uint32_t)TREE_NONE;
		node_at(t, v.at[i])->prev = i ? v.at[i - 1] : (uint32_t)TREE_NONE;
	}
	if (v.n)
		node_at(t, folder)->first = v.at[0];
	vec_release(&v);
}

void tree_sort(struct tree *t)
{
	for (uint32_t i = 0; i < t->nodes.n; i++)
		if (node_at(t, i)->file != TREE_NONE && tree_is_folder(t, i))
			sort_folder(t, i);
}

uint32_t tree_next(const struct tree *t, uint32_t node)
{
	if (node_at(t, node)->first != TREE_NONE)
		return node_at(t, node)->first;
	while (node != TREE_ROOT && node_at(t, node)->next == TREE_NONE)
		node = node_at(t, node)->parent;
	return node == TREE_ROOT ? (uint32_t)TREE_NONE : node_at(t, node)->next;
}
