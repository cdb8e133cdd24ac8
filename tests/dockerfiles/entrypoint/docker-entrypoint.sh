#!/bin/sh
set -e
if [ "$1" = httpd ]; then
	echo "<title>$TITLE</title>" >/srv/www/index.html
	echo "$# $*" >/srv/www/arguments
fi
exec "$@"
