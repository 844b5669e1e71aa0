package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestTwoForceDeletesAtOnceBothSucceed(t *testing.T) {
	b := newBundle(t)
	for range 10 {
		b.hold()
		one, two := b.begin(b.cmd("delete", "-f", b.id)), b.begin(b.cmd("delete", "-f", b.id))
		one.end(t).ok(t)
		two.end(t).ok(t)
		b.wantGone()
	}
}

func TestTwoCreatesOfOneIDGiveOneContainer(t *testing.T) {
	not(t, "runc", "1.1 lets them disturb each other")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.live = true
	b.write()
	for range 5 {
		calls := []*call{b.begin(b.cmd(b.line("create", nil)...)), b.begin(b.cmd(b.line("create", nil)...)), b.begin(b.cmd(b.line("create", nil)...))}
		won := 0
		for _, c := range calls {
			if r := c.end(t); r.code == 0 {
				won++
			} else if !strings.Contains(r.err, "container with given ID already exists") {
				t.Errorf("%v", r)
			}
		}
		if won != 1 {
			t.Errorf("%d creates succeeded", won)
		}
		b.wantStatus("created")
		b.tare("delete", "-f", b.id).ok(t)
		b.wantGone()
	}
}

func TestCreateRacingForceDeleteLosesNothing(t *testing.T) {
	not(t, "runc", "loses a process and its cgroups at times")
	forceDeleteRaces(t)
}

// Without a cgroup the record alone leads to the process.
func TestCreateWithoutACgroupRacingForceDeleteLosesNothing(t *testing.T) {
	not(t, "runc", "has no such manager")
	forceDeleteRaces(t, "--cgroup-manager", "disabled")
}

func forceDeleteRaces(t *testing.T, global ...string) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.global = global
	b.write()
	for i := range 15 {
		c := b.begin(b.cmd(b.line("create", nil)...))
		for range 3 {
			b.tare("delete", "-f", b.id).ok(t)
		}
		c.end(t)
		b.wantSwept(i)
	}
}

func TestStartRacingForceDeleteEnds(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	for i := range 10 {
		b.create()
		c := b.begin(b.cmd("start", b.id))
		b.tare("delete", "-f", b.id).ok(t)
		c.end(t)
		b.wantSwept(i)
	}
}

func TestTwoStartsAtOnceStartOnce(t *testing.T) {
	not(t, "runc", "1.1 hangs at times")
	b := newBundle(t, sh("echo started; exec sleep 1000"))
	for range 5 {
		r := b.create()
		one, two := b.begin(b.cmd("start", b.id)), b.begin(b.cmd("start", b.id))
		if a, c := one.end(t), two.end(t); (a.code == 0) == (c.code == 0) {
			t.Errorf("%v\n%v", a, c)
		}
		r.waitOut(t, "started\n")
		if n := strings.Count(r.output(t), "started"); n != 1 {
			t.Errorf("started %d times", n)
		}
		b.tare("delete", "-f", b.id).ok(t)
	}
}

func TestManyContainersAtOnce(t *testing.T) {
	b := newBundle(t, sh("echo $TARE_IT"))
	b.write()
	var calls []*call
	for i := range 12 {
		id := fmt.Sprintf("%s-%d", b.id, i)
		s := defaultSpec(id)
		sh("echo mine")(s)
		dir := b.hostDir("many/" + id)
		s.Root.Path = b.rootfs
		writeJSON(t, dir+"/config.json", s)
		calls = append(calls, b.begin(b.cmd("run", "--bundle", dir, id)))
	}
	for _, c := range calls {
		if r := c.end(t).ok(t); r.out != "mine\n" {
			t.Errorf("%v", r)
		}
	}
	b.wantNoCgroups()
}

func TestManyExecsAtOnce(t *testing.T) {
	b := newBundle(t)
	b.hold()
	var calls []*call
	for i := range 12 {
		calls = append(calls, b.begin(b.cmd("exec", b.id, "/bin/echo", itoa(i))))
	}
	for i, c := range calls {
		if r := c.end(t).ok(t); r.out != itoa(i)+"\n" {
			t.Errorf("%v", r)
		}
	}
}

func TestStateWhileTheContainerIsDeletedIsWholeOrAbsent(t *testing.T) {
	b := newBundle(t)
	for range 5 {
		b.hold()
		var wg sync.WaitGroup
		for range 3 {
			c := b.begin(b.cmd("state", b.id))
			wg.Add(1)
			go func() {
				defer wg.Done()
				<-c.done
			}()
			_ = c
		}
		b.tare("delete", "-f", b.id).ok(t)
		wg.Wait()
	}
	b.wantGone()
}

func TestListWhileContainersComeAndGoNeverFails(t *testing.T) {
	not(t, "runc", "fails at times")
	b := newBundle(t, args("/bin/true"))
	b.write()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				c := b.begin(b.cmd(b.line("run", nil)...))
				<-c.done
			}
		}
	}()
	for range 15 {
		r := b.tare("list", "--format", "json")
		if r.code != 0 || !json.Valid([]byte(r.out)) {
			t.Errorf("%v", r)
		}
	}
	close(stop)
	<-done
}

func TestKillRacingTheEndOfInitFailsCleanly(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	for range 10 {
		b.create()
		one, two := b.begin(b.cmd("start", b.id)), b.begin(b.cmd("kill", b.id, "KILL"))
		one.end(t)
		if r := two.end(t); r.code != 0 && !strings.Contains(r.err, "container not running") && !strings.Contains(r.err, "no such process") && !strings.Contains(r.err, "already finished") {
			t.Errorf("%v", r)
		}
		b.tare("delete", "-f", b.id).ok(t)
	}
}

// mountSized mounts a tmpfs of that size; cleanup unmounts it.
func mountSized(t *testing.T, dir, size string) {
	t.Helper()
	check(t, syscall.Mount("case", dir, "tmpfs", 0, "mode=755,size="+size))
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}
