# shellcheck shell=bash disable=SC2034
options=(--build-context "chromium=$(layout chromium:12)" --memory 1024 --ready-timeout 300
	--wait-for-url http://127.0.0.1:9222/json/version)
LIMIT_SEC=400

check()
{
	ok kiln run chromium -- python3 -c '
import json, urllib.request
print(json.load(urllib.request.urlopen("http://127.0.0.1:9222/json/version"))["Browser"])'
	prints Chrome/
	ok kiln run chromium -- timeout 300 chromium-headless-shell --no-sandbox --disable-gpu \
		--disable-dev-shm-usage --user-data-dir=/tmp/other --dump-dom file:///srv/page.html
	prints '<li>2</li><li>3</li><li>5</li><li>7</li><li>11</li><li>13</li><li>17</li><li>19</li>'
}
