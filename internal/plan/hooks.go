package plan

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
	"tare/internal/step"
)

// hostHooks plans the hooks of one kind that the runtime runs itself.
func hostHooks(name string, hooks []specs.Hook) []step.Step {
	out := make([]step.Step, len(hooks))
	for i, h := range hooks {
		out[i] = &step.HostHook{Name: name, Path: h.Path, Args: h.Args, Env: h.Env, EnvSet: h.Env != nil,
			TimeoutMS: timeout(h), Place: step.At(fmt.Sprintf("hooks.%s[%d]", name, i))}
	}
	return out
}

// PoststartHooks and PoststopHooks are the hooks of start and delete, which need no other plan.
func PoststartHooks(s *specs.Spec) []step.Step {
	if s.Hooks == nil {
		return nil
	}
	return hostHooks("poststart", s.Hooks.Poststart)
}

// PoststopHooks are the hooks that run after everything is gone.
func PoststopHooks(s *specs.Spec) []step.Step {
	if s.Hooks == nil {
		return nil
	}
	return hostHooks("poststop", s.Hooks.Poststop)
}

func timeout(h specs.Hook) uint64 {
	if h.Timeout == nil || *h.Timeout < 0 {
		return 0
	}
	return uint64(*h.Timeout) * 1000
}

// initHooks plans the hooks of one kind that run in the container. Without env, startContainer hooks
// get the process's.
func (b *builder) initHooks(name string, hooks []specs.Hook, dir string, status specs.ContainerState) []step.Step {
	if len(hooks) == 0 {
		return nil
	}
	head, tail := b.stateTemplate(status)
	b.hookOutput()
	out := make([]step.Step, len(hooks))
	for i, h := range hooks {
		env := h.Env
		if env == nil && dir != "" {
			env = environment(b.s.Process.Env)
		}
		out[i] = &step.Hook{Name: name, Path: h.Path, Args: h.Args, Env: env, Dir: dir, TimeoutMS: timeout(h),
			Stdout: b.hookOut[0], Stderr: b.hookOut[1], StateHead: head, StateTail: tail, Place: step.At(fmt.Sprintf("hooks.%s[%d]", name, i))}
	}
	return out
}

// hookOutput has the files that annotations name for the hooks' output opened on the host, once: the
// container's hooks could open another one.
func (b *builder) hookOutput() {
	for i, key := range [...]string{spec.AnnotationHooksStdout, spec.AnnotationHooksStderr} {
		if path := b.s.Annotations[key]; path != "" && b.hookOut[i] == 0 {
			b.hookOut[i] = b.fd(FDSource{Kind: FDAppend, Path: path, At: fmt.Sprintf("annotations[%q]", key)})
		}
	}
}

// stateTemplate is the state's JSON before and after the pid, which the init fills in as its own pid
// namespace counts it.
func (b *builder) stateTemplate(status specs.ContainerState) (head, tail []byte) {
	return StateTemplate(&specs.State{Version: specs.Version, ID: b.o.ID, Status: status, Bundle: b.o.Bundle,
		Annotations: b.s.Annotations})
}

// StateTemplate renders a state for a hook's stdin: one line, slashes unescaped, in two parts between
// which the pid belongs.
func StateTemplate(s *specs.State) (head, tail []byte) {
	head = fmt.Appendf(nil, `{"ociVersion":%s,"id":%s,"status":%s,"pid":`, quote(s.Version), quote(s.ID), quote(string(s.Status)))
	tail = fmt.Appendf(nil, `,"bundle":%s`, quote(s.Bundle))
	if len(s.Annotations) > 0 {
		tail = append(tail, `,"annotations":{`...)
		for i, k := range sorted(s.Annotations) {
			if i > 0 {
				tail = append(tail, ',')
			}
			tail = fmt.Appendf(tail, "%s:%s", quote(k), quote(s.Annotations[k]))
		}
		tail = append(tail, '}')
	}
	return head, append(tail, '}')
}

func quote(s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return []byte(`""`)
	}
	return q
}
