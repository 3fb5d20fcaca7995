// A program that answers one connection of `kubectl exec` or `kubectl port-forward` as a kubelet does, with the code of
// Kubernetes. The first argument is the connection's file descriptor; the others map ports of the pod to ports of this
// machine: 8000=41234. A command of exec gets the environment and the folder of this program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	// The status of a shell for a command that does not exist, and the base of those for signals.
	notFound, signaled = 127, 128
	// How long something that the command left behind may keep its output open.
	outputDelay = 100 * time.Millisecond
)

// pod has the ports of this machine by port of the pod.
type pod map[int32]int32

// PortForward copies between a stream of the client and a port until both have ended.
func (own pod) PortForward(_ context.Context, name, _ string, port int32, stream io.ReadWriteCloser) error {
	target, listens := own[port]
	if !listens {
		return fmt.Errorf("nothing in pod %s listens on port %d", name, port)
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

// ExecInContainer runs a command until it ends, or until this program is terminated because the client has gone.
func (own pod) ExecInContainer(_ context.Context, _, _, _ string, words []string, in io.Reader, out, errorOutput io.WriteCloser,
	terminal bool, sizes <-chan remotecommand.TerminalSize, _ time.Duration) error {
	alive, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	command := exec.CommandContext(alive, words[0], words[1:]...)
	command.WaitDelay = outputDelay
	if terminal {
		return exitStatus(runInTerminal(command, in, out, sizes))
	}
	if out != nil {
		command.Stdout = out
	}
	if errorOutput != nil {
		command.Stderr = errorOutput
	}
	if in != nil {
		// The end of the command does not wait for the end of its input.
		input, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			io.Copy(input, in)
			input.Close()
		}()
	}
	return exitStatus(command.Run())
}

func runInTerminal(command *exec.Cmd, in io.Reader, out io.Writer, sizes <-chan remotecommand.TerminalSize) error {
	terminal, err := pty.Start(command)
	if err != nil {
		return err
	}
	defer terminal.Close()
	go func() {
		for size := range sizes {
			pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width})
		}
	}()
	if in != nil {
		go io.Copy(terminal, in)
	}
	if out != nil {
		// It ends with an error where the other end of the terminal is closed.
		io.Copy(out, terminal)
	}
	return command.Wait()
}

// exitStatus is the status as a shell gives it, in the type that the streaming server passes on to the client.
func exitStatus(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case !errors.As(err, &exit):
		return utilexec.CodeExitError{Err: err, Code: notFound}
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		return utilexec.CodeExitError{Err: err, Code: signaled + int(status.Signal())}
	}
	return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
}

func readPorts(words []string) (pod, error) {
	own := pod{}
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
		return fmt.Errorf("usage: kubelet_streams DESCRIPTOR PORT=TARGET...")
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
	var hijacked atomic.Bool
	end := sync.OnceFunc(func() { close(connections) })
	server := http.Server{
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			serve(writer, request, own)
			if hijacked.Load() {
				end()
			}
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateHijacked:
				hijacked.Store(true)
			case http.StateIdle, http.StateClosed:
				// A refusal is written.
				end()
			}
		},
	}
	err = server.Serve(oneConnection{connections: connections})
	if err == io.EOF {
		return nil
	}
	return err
}

// serve answers /portForward/namespace/pod and /exec/namespace/pod/container?command=ls&output=1.
func serve(writer http.ResponseWriter, request *http.Request, own pod) {
	config := streaming.DefaultConfig
	name := path.Base(request.URL.Path)
	if !strings.HasPrefix(request.URL.Path, "/exec/") {
		portforward.ServePortForward(writer, request, own, name, "", nil,
			config.StreamIdleTimeout, config.StreamCreationTimeout, config.SupportedPortForwardProtocols)
		return
	}
	options, err := remotecommand.NewOptions(request)
	command := request.URL.Query()["command"]
	if err == nil && len(command) == 0 {
		err = errors.New("exec needs a command")
	}
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(writer, request, own, "", "", name, command, options,
		config.StreamIdleTimeout, config.StreamCreationTimeout, config.SupportedRemoteCommandProtocols)
}
