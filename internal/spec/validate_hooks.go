package spec

import "github.com/opencontainers/runtime-spec/specs-go"

func (c *checker) hooks(at *node, h *specs.Hooks) {
	if h == nil {
		return
	}
	for _, point := range [...]struct {
		name string
		list []specs.Hook
	}{
		{"prestart", h.Prestart}, //nolint:staticcheck // deprecated, but engines use it
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	} {
		for i := range point.list {
			c.hook(at.field(point.name).at(i), &point.list[i])
		}
	}
}

func (c *checker) hook(at *node, h *specs.Hook) {
	c.absolute(at.field("path"), h.Path)
	for i, arg := range h.Args {
		c.text(at.field("args").at(i), arg)
	}
	c.environ(at.field("env"), h.Env)
	if h.Timeout != nil && *h.Timeout <= 0 {
		c.fail(at.field("timeout"), itoa(int64(*h.Timeout)), "must be greater than 0")
	}
}
