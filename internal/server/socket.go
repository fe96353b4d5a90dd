// Package server is Snug's delivery service.
package server

import _ "github.com/lxzan/gws" // the sockets of sessions
