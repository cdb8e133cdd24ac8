/* The agent protocol's bytes: what is written reads the same, and what is no payload is
 * refused. */
#include "unit.h"

#include "rootfs/agent/link.h"
#include "rootfs/agent/proto.h"

static uint8_t buf[PROTO_REQUEST_MAX];

static struct proto_out out_of(size_t cap)
{
	return (struct proto_out){ .at = buf, .cap = cap };
}

static void headers_round_trip(void **state)
{
	struct proto_header h = { .bytes = PROTO_PAYLOAD_MAX,
				  .type = PROTO_OUTPUT,
				  .stream = 2,
				  .flags = PROTO_MORE,
				  .id = 0xfedcba98 };
	uint8_t at[PROTO_HEADER_BYTES];
	struct proto_header got;

	(void)state;
	proto_header_encode(&h, at);
	assert_int_equal(at[2], 1); /* 65536, little-endian */
	assert_int_equal(proto_header_decode(at, &got), 0);
	assert_int_equal(got.bytes, h.bytes);
	assert_int_equal(got.type, h.type);
	assert_int_equal(got.stream, 2);
	assert_int_equal(got.flags, PROTO_MORE);
	assert_int_equal(got.id, h.id);
}

static void bad_headers_are_refused(void **state)
{
	static const struct proto_header bad[] = {
		{ .bytes = PROTO_PAYLOAD_MAX + 1 },
		{ .bytes = UINT32_MAX },
		{ .stream = 3 },
		{ .flags = 2 },
	};
	uint8_t at[PROTO_HEADER_BYTES];
	struct proto_header got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		proto_header_encode(&bad[i], at);
		assert_int_equal(proto_header_decode(at, &got), -1);
	}
}

static void exec_round_trips_and_every_cut_is_refused(void **state)
{
	const char *argv[] = { "sh", "-c", "" }, *env[] = { "A=1" };
	const char *slots[2][8];
	struct proto_exec x = { .flags = PROTO_EXEC_TTY,
				.rows = 24,
				.cols = 65535,
				.user = "app:www",
				.cwd = "/srv",
				.argv = { argv, 3, 0 },
				.env = { env, 1, 0 } };
	struct proto_exec got = { .argv = { slots[0], 0, 8 }, .env = { slots[1], 0, 8 } };
	struct proto_out o = out_of(sizeof(buf));

	(void)state;
	proto_exec_encode(&o, &x);
	assert_false(o.is_full);
	assert_int_equal(proto_exec_decode(buf, o.len, &got), 0);
	assert_int_equal(got.cols, 65535);
	assert_string_equal(got.user, "app:www");
	assert_int_equal(got.argv.n, 3);
	assert_string_equal(got.argv.at[1], "-c");
	assert_string_equal(got.argv.at[2], "");
	assert_null(got.argv.at[3]);
	assert_string_equal(got.env.at[0], "A=1");
	for (size_t n = 0; n < o.len; n++)
		assert_int_equal(proto_exec_decode(buf, n, &got), -1);
	assert_int_equal(proto_exec_decode(buf, o.len + 1, &got), -1);
}

static void strings_have_limits(void **state)
{
	const char *slots[3], *many[] = { "a", "b", "c" };
	struct proto_strings v = { many, 3, 0 }, got = { slots, 0, 3 };
	struct proto_out o = out_of(sizeof(buf));
	struct proto_in in;

	(void)state;
	proto_put_strings(&o, &v);
	in = (struct proto_in){ .at = buf, .left = o.len };
	proto_get_strings(&in, &got); /* room for two and NULL */
	assert_true(in.is_bad);
	o = out_of(8);
	proto_put_string(&o, "four"); /* 4 + 4 + 1 */
	assert_true(o.is_full);
	memcpy(buf, "\3\0\0\0a\0b\0", 8); /* a NUL inside */
	in = (struct proto_in){ .at = buf, .left = 8 };
	assert_string_equal(proto_get_string(&in), "");
	assert_true(in.is_bad);
	memcpy(buf, "\377\377\377\377a\0", 6);
	in = (struct proto_in){ .at = buf, .left = 6 };
	proto_get_string(&in);
	assert_true(in.is_bad);
}

static void exec_without_a_word_is_refused(void **state)
{
	const char *slots[2][2];
	struct proto_exec x = { .user = "", .cwd = "" };
	struct proto_exec got = { .argv = { slots[0], 0, 2 }, .env = { slots[1], 0, 2 } };
	struct proto_out o = out_of(sizeof(buf));

	(void)state;
	proto_exec_encode(&o, &x);
	assert_int_equal(proto_exec_decode(buf, o.len, &got), -1);
}

static void identity_round_trips(void **state)
{
	const char *env[] = { "KILN_SANDBOX_ID=x" }, *slots[4];
	struct proto_identify x = { .now_sec = -5,
				    .now_nsec = 999999999,
				    .hostname = "h",
				    .machine_id = "",
				    .env = { env, 1, 0 } };
	struct proto_identify got = { .env = { slots, 0, 4 } };
	struct proto_out o = out_of(sizeof(buf));

	(void)state;
	memset(x.seed, 0xa5, sizeof(x.seed));
	proto_identify_encode(&o, &x);
	assert_int_equal(proto_identify_decode(buf, o.len, &got), 0);
	assert_int_equal(got.now_sec, -5);
	assert_memory_equal(got.seed, x.seed, sizeof(x.seed));
	assert_int_equal(proto_identify_decode(buf, 40, &got), -1);
}

/*
 * The guest's half of framing.
 */

static struct link l;

static void feed_frame(uint8_t type, uint16_t flags, uint32_t id, const char *text)
{
	struct proto_header h = {
		.bytes = (uint32_t)strlen(text), .type = type, .flags = flags, .id = id
	};
	uint8_t at[PROTO_HEADER_BYTES];

	proto_header_encode(&h, at);
	assert_int_equal(link_feed(&l, at, sizeof(at)), sizeof(at));
	assert_int_equal(link_feed(&l, (const uint8_t *)text, h.bytes), h.bytes);
}

static void frames_may_come_in_pieces(void **state)
{
	struct proto_header h = { .bytes = 5, .type = PROTO_STDIN, .id = 7 };
	uint8_t at[PROTO_HEADER_BYTES + 5];
	struct link_message m;

	(void)state;
	memset(&l, 0, sizeof(l));
	proto_header_encode(&h, at);
	memcpy(at + PROTO_HEADER_BYTES, "hello", 5);
	for (size_t i = 0; i < sizeof(at); i++) {
		assert_int_equal(link_next(&l, &m), 0);
		link_feed(&l, at + i, 1);
	}
	assert_int_equal(link_next(&l, &m), 1);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.n, 5);
	assert_memory_equal(m.at, "hello", 5);
	assert_int_equal(link_next(&l, &m), 0);
}

static void long_requests_come_in_several_frames(void **state)
{
	struct link_message m;

	(void)state;
	memset(&l, 0, sizeof(l));
	feed_frame(PROTO_EXEC, PROTO_MORE, 3, "one ");
	feed_frame(PROTO_EXEC, PROTO_MORE, 3, "two ");
	assert_int_equal(link_next(&l, &m), 0);
	feed_frame(PROTO_EXEC, 0, 3, "three");
	feed_frame(PROTO_FREEZE, 0, 4, "");
	assert_int_equal(link_next(&l, &m), 1);
	assert_int_equal(m.n, 13);
	assert_memory_equal(m.at, "one two three", 13);
	assert_int_equal(link_next(&l, &m), 1);
	assert_int_equal(m.type, PROTO_FREEZE);
	assert_int_equal(m.n, 0);
}

static void a_request_that_changes_its_id_breaks_the_link(void **state)
{
	struct link_message m;

	(void)state;
	memset(&l, 0, sizeof(l));
	feed_frame(PROTO_EXEC, PROTO_MORE, 3, "one ");
	feed_frame(PROTO_EXEC, 0, 4, "two");
	assert_int_equal(link_next(&l, &m), 0);
	assert_true(l.is_broken);
}

static void a_request_without_end_breaks_the_link(void **state)
{
	static uint8_t payload[32768];
	struct proto_header h = {
		.bytes = sizeof(payload), .type = PROTO_COPY, .flags = PROTO_MORE, .id = 1
	};
	uint8_t at[PROTO_HEADER_BYTES];
	struct link_message m;
	size_t total = 0;

	(void)state;
	memset(&l, 0, sizeof(l));
	proto_header_encode(&h, at);
	for (; !l.is_broken && total < 2 * PROTO_REQUEST_MAX; total += sizeof(payload)) {
		link_feed(&l, at, sizeof(at));
		link_feed(&l, payload, sizeof(payload));
		assert_int_equal(link_next(&l, &m), 0);
	}
	assert_true(l.is_broken);
	assert_true(total <= PROTO_REQUEST_MAX + sizeof(payload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_round_trip),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(exec_round_trips_and_every_cut_is_refused),
		cmocka_unit_test(strings_have_limits),
		cmocka_unit_test(exec_without_a_word_is_refused),
		cmocka_unit_test(identity_round_trips),
		cmocka_unit_test(frames_may_come_in_pieces),
		cmocka_unit_test(long_requests_come_in_several_frames),
		cmocka_unit_test(a_request_that_changes_its_id_breaks_the_link),
		cmocka_unit_test(a_request_without_end_breaks_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
