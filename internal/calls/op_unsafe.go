package calls

import "unsafe"

// bytesOf gives the memory of instructions, which is laid out as the lane reads it.
func bytesOf(ops []op) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(ops))), len(ops)*opSize)
}
