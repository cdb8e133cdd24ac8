# shellcheck shell=bash disable=SC2034
options=(--build-context "postgres:15=$(layout services:12)" --memory 512
	--ready-cmd 'pg_isready -q -h /tmp')

sql()
{
	ok kiln run postgres -- psql -h /tmp -At -c "$1"
}

check()
{
	sql 'SELECT * FROM hot'
	is "$(cat "$OUT")" stoneware
	# One clone's rows are not another's.
	sql "INSERT INTO kilns VALUES ('anagama', 1400) RETURNING (SELECT count(*) FROM kilns)"
	sql 'SELECT count(*) FROM kilns'
	is "$(cat "$OUT")" 2
	fails 1 kiln run postgres -- psql -h /tmp -c 'INSERT INTO kilns VALUES (NULL, 1)'
	says 'null value in column "name"'
}
