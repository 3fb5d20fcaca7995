// Package zmq4 has the names that the picker uses of a library in C. No socket opens here: flags and configuration are
// loaded before that.
package zmq4

import (
	"errors"
	"time"
)

var errLeftOut = errors.New("built without the ZeroMQ library")

type (
	Type   int
	Flag   int
	State  int
	Socket struct{}
	Polled struct{}
	Poller struct{}
)

const (
	SUB    = Type(2)
	POLLIN = State(1)
)

func NewSocket(Type) (*Socket, error) { return nil, errLeftOut }

func (*Socket) Bind(string) error { return errLeftOut }

func (*Socket) Close() error { return nil }

func (*Socket) SetSubscribe(string) error { return errLeftOut }

func (*Socket) RecvMessageBytes(Flag) ([][]byte, error) { return nil, errLeftOut }

func NewPoller() *Poller { return &Poller{} }

func (*Poller) Add(*Socket, State) int { return 0 }

func (*Poller) Poll(time.Duration) ([]Polled, error) { return nil, errLeftOut }
