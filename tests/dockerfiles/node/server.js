const http = require('http');
const semver = require('semver');

http.createServer((request, response) => {
	const versions = new URL(request.url, 'http://here/').searchParams.getAll('v');
	response.end(semver.sort(versions).join(' ') + '\n');
}).listen(3000);
