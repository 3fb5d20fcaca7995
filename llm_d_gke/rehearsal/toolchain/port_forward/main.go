// A program that answers one connection of `kubectl port-forward` as a kubelet does, with the code of Kubernetes. The
// first argument is the connection's file descriptor; the others map ports of the pod to ports of this machine: 8000=41234.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

const (
	// Of the kubelet: streaming/server.go, DefaultConfig.
	idleTimeout     = 4 * time.Hour
	creationTimeout = 30 * time.Second
)

// ports of this machine by port of the pod.
type ports map[int32]int32

// PortForward copies between a stream of the client and a port until both have ended.
func (own ports) PortForward(_ context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	target, listens := own[port]
	if !listens {
		return fmt.Errorf("nothing in pod %s listens on port %d", pod, port)
	}
	server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", target))
	if err != nil {
		return err
	}
	defer server.Close()
	go func() {
		io.Copy(server, stream)
		server.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, server)
	return err
}

func readPorts(words []string) (ports, error) {
	own := ports{}
	for _, word := range words {
		port, target, _ := strings.Cut(word, "=")
		for _, text := range []string{port, target} {
			if _, err := strconv.ParseUint(text, 10, 16); err != nil {
				return nil, err
			}
		}
		from, _ := strconv.Atoi(port)
		to, _ := strconv.Atoi(target)
		own[int32(from)] = int32(to)
	}
	return own, nil
}

// oneConnection is a listener that accepts one connection.
type oneConnection struct {
	net.Listener
	connections chan net.Conn
}

func (one oneConnection) Accept() (net.Conn, error) {
	connection, more := <-one.connections
	if !more {
		return nil, io.EOF
	}
	return connection, nil
}

func (one oneConnection) Addr() net.Addr { return &net.UnixAddr{} }

func (one oneConnection) Close() error { return nil }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("usage: port_forward DESCRIPTOR PORT=TARGET...")
	}
	descriptor, err := strconv.ParseUint(arguments[0], 10, 31)
	if err != nil {
		return err
	}
	own, err := readPorts(arguments[1:])
	if err != nil {
		return err
	}
	connection, err := net.FileConn(os.NewFile(uintptr(descriptor), "connection"))
	if err != nil {
		return err
	}
	connections := make(chan net.Conn, 1)
	connections <- connection
	handle := func(writer http.ResponseWriter, request *http.Request) {
		defer close(connections)
		// /portForward/namespace/pod
		pod := path.Base(request.URL.Path)
		portforward.ServePortForward(
			writer, request, own, pod, "", nil, idleTimeout, creationTimeout, portforward.SupportedProtocols)
	}
	err = http.Serve(oneConnection{connections: connections}, http.HandlerFunc(handle))
	if err == io.EOF {
		return nil
	}
	return err
}
