greet()
{
	echo "greetings from $1"
}
