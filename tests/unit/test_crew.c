/* The threads at work on one build: together, in places, and what a failure does to them. */
#include "unit.h"

#include <limits.h>
#include <unistd.h>

#include "base/str.h"
#include "builder/crew.h"

/* What the jobs of a test share; under the crew's lock. */
struct shared {
	struct crew *crew;
	int n_here, n_most, n_done;
	int n_expected; /* so many meet before any goes on */
};

/* Waits until all are here: with fewer threads than that it would never end. */
static int meet(void *arg, struct err **e)
{
	struct shared *s = arg;

	s->n_here++;
	crew_tell(s->crew);
	while (s->n_here < s->n_expected)
		if (crew_wait(s->crew, e))
			return -1;
	s->n_done++;
	return 0;
}

static int in_place(void *arg, struct err **e)
{
	struct shared *s = arg;

	if (crew_take_place(s->crew, PLACE_MACHINE, e))
		return -1;
	s->n_here++;
	s->n_most = s->n_here > s->n_most ? s->n_here : s->n_most;
	crew_leave(s->crew);
	usleep(2000);
	crew_enter(s->crew);
	s->n_here--;
	s->n_done++;
	crew_give_place(s->crew, PLACE_MACHINE);
	return 0;
}

static int go_wrong(void *arg, struct err **e)
{
	struct shared *s = arg;

	s->n_done++;
	return err_set(e, ERR_STEP, "the first failure");
}

static int wait_for_ever(void *arg, struct err **e)
{
	struct shared *s = arg;

	while (!crew_wait(s->crew, e))
		;
	return err_wrap(e, "a failure because of that");
}

static int note_order(void *arg, struct err **e)
{
	struct str *order = arg;

	(void)e;
	str_addc(order, 'x');
	return 0;
}

static int run(struct crew *c, const struct crew_job *jobs, size_t n, struct err **e)
{
	int failed;

	crew_enter(c);
	failed = crew_run(c, jobs, n, e);
	crew_leave(c);
	return failed;
}

static void jobs_are_done_together(void **state)
{
	AUTO(crew) c = crew_new(2);
	struct shared s = { .crew = c, .n_expected = 5 };
	struct crew_job jobs[5];
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		jobs[i] = (struct crew_job){ meet, &s };
	assert_ok(run(c, jobs, 5, &e), e);
	assert_int_equal(s.n_done, 5);
}

static void places_are_few(void **state)
{
	AUTO(crew) c = crew_new(3);
	struct shared s = { .crew = c };
	struct crew_job jobs[12];
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		jobs[i] = (struct crew_job){ in_place, &s };
	assert_ok(run(c, jobs, 12, &e), e);
	assert_int_equal(s.n_done, 12);
	assert_true(s.n_most > 1 && s.n_most <= 3);
	assert_int_equal(crew_count_free(c, PLACE_MACHINE), 3);
}

static int count_threads(void *arg, struct err **e)
{
	struct shared *s = arg;

	(void)e;
	s->n_here++;
	s->n_most = s->n_here > s->n_most ? s->n_here : s->n_most;
	crew_leave(s->crew);
	usleep(20000);
	crew_enter(s->crew);
	s->n_here--;
	s->n_done++;
	return 0;
}

static void threads_are_bounded(void **state)
{
	AUTO(crew) c = crew_new(2);
	struct shared s = { .crew = c };
	struct crew_job jobs[3 * CREW_THREADS_MAX];
	size_t n = sizeof(jobs) / sizeof(jobs[0]);
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct crew_job){ count_threads, &s };
	assert_ok(run(c, jobs, n, &e), e);
	assert_int_equal(s.n_done, n);
	assert_true(s.n_most <= CREW_THREADS_MAX + 1);
	/* They can be had again. */
	s.n_expected = s.n_here + 5;
	for (size_t i = 0; i < 5; i++)
		jobs[i] = (struct crew_job){ meet, &s };
	assert_ok(run(c, jobs, 5, &e), e);
}

static void the_first_failure_ends_all(void **state)
{
	AUTO(crew) c = crew_new(2);
	struct shared s = { .crew = c };
	const struct crew_job jobs[] = { { wait_for_ever, &s },
					 { wait_for_ever, &s },
					 { go_wrong, &s } };
	struct err *e = NULL;

	(void)state;
	assert_int_equal(run(c, jobs, 3, &e), -1);
	assert_int_equal(e->code, ERR_CANCELED);
	assert_true(cancel_is_set(crew_cancel(c)));
	assert_true(crew_failed_here(c)); /* the last job is done in our thread */
	crew_take_failure(c, &e);
	assert_int_equal(e->code, ERR_STEP);
	assert_string_equal(e->msg, "the first failure");
	err_drop(&e);
	/* There is no other one to take. */
	assert_int_equal(cancel_check(crew_cancel(c), &e), -1);
	crew_take_failure(c, &e);
	assert_int_equal(e->code, ERR_CANCELED);
	err_drop(&e);
}

static void one_is_in_order(void **state)
{
	AUTO(crew) c = crew_new(1);
	struct shared s = { .crew = c, .n_expected = 1 };
	autostr order = STR_INIT;
	const struct crew_job jobs[] = {
		{ note_order, &order }, { meet, &s }, { go_wrong, &s }, { note_order, &order }
	};
	struct err *e = NULL;

	(void)state;
	assert_true(crew_is_one(c));
	assert_int_equal(run(c, jobs, 4, &e), -1);
	assert_int_equal(s.n_done, 2);
	assert_string_equal(order.at, "x"); /* nothing after the failure */
	err_drop(&e);
	/* What isn't begun any more is not done. */
	assert_fails(run(c, jobs, 1, &e), e, ERR_CANCELED, "canceled");
	assert_string_equal(order.at, "x");
	assert_int_equal(run(c, jobs, 0, &e), 0);
}

static void a_host_has_room_for_one_at_least(void **state)
{
	(void)state;
	assert_int_equal(crew_machines_of_host(UINT_MAX), 1);
	assert_true(crew_machines_of_host(1) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_done_together),
		cmocka_unit_test(places_are_few),
		cmocka_unit_test(threads_are_bounded),
		cmocka_unit_test(the_first_failure_ends_all),
		cmocka_unit_test(one_is_in_order),
		cmocka_unit_test(a_host_has_room_for_one_at_least),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
