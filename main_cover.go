//go:build tarecover

package main

import "tare/nsenter"

func init() { nsenter.Dispatch() }
