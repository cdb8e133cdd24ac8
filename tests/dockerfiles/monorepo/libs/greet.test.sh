. ./greet.sh
[ "$(greet you)" = "greetings from you" ]
