// greet answers every connection with one line. Without net/http, which takes long to link.
package main

import (
	"fmt"
	"net"
	"os"
)

var version = "none"

func main() {
	if len(os.Args) > 1 {
		fmt.Println("greet", version)
		return
	}
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		fmt.Fprintf(conn, "hello %s\n", conn.RemoteAddr().Network())
		conn.Close()
	}
}
