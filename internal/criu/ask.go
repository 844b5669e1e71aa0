package criu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// Version asks the program for its version: major·10000 + minor·100 + sublevel.
func Version(ctx context.Context, path string) (int, error) {
	resp, err := ask(ctx, path, &rpc.CriuReq{Type: ptr(rpc.CriuReqType_VERSION)})
	if err != nil {
		return 0, fmt.Errorf("criu version: %w", err)
	}
	v := resp.GetVersion()
	n := int(v.GetMajorNumber())*10000 + int(v.GetMinorNumber())*100 + int(v.GetSublevel())
	if v.GetGitid() != "" {
		n = n/100*100 + 100 // between two releases: as good as the coming one
	}
	return n, nil
}

// Features asks the program which of its optional features work on this kernel.
func Features(ctx context.Context, path string) (*rpc.CriuFeatures, error) {
	yes := true
	resp, err := ask(ctx, path, &rpc.CriuReq{Type: ptr(rpc.CriuReqType_FEATURE_CHECK),
		Features: &rpc.CriuFeatures{MemTrack: &yes, LazyPages: &yes}})
	if err != nil {
		return nil, fmt.Errorf("criu feature check: %w", err)
	}
	if resp.GetFeatures() == nil {
		return new(rpc.CriuFeatures), nil
	}
	return resp.GetFeatures(), nil
}

func ask(ctx context.Context, path string, req *rpc.CriuReq) (*rpc.CriuResp, error) {
	p, err := Start(&Options{Path: path})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	resp, err := p.Do(ctx, req, nil)
	if said := strings.TrimSpace(p.Said()); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, lastLines(said, 2))
	}
	return resp, err
}

// Complain makes an error for a request that criu could not fulfil: what it answered, where its log is, and
// the log's last lines that speak of errors.
func (p *Process) Complain(err error, log string) error {
	var answer *Error
	if !errors.As(err, &answer) && !errors.Is(err, errHungUp) {
		return err
	}
	text, rerr := tail(log)
	lines := errorLines(text, 3)
	switch {
	case lines == "" && answer != nil && answer.Msg != "":
		lines = answer.Msg
	case lines == "":
		lines = lastLines(strings.TrimSpace(p.Said()), 3)
	}
	if rerr == nil {
		err = fmt.Errorf("%w (log file: %s)", err, log)
	}
	if lines != "" {
		err = fmt.Errorf("%w: %s", err, lines)
	}
	return err
}

// tail is the end of a log file: the reasons come last.
func tail(path string) (string, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, st.Size()-most), most))
	return string(b), err
}

// errorLines are the last few lines that begin, after time and pid, with "Error", in one line.
func errorLines(text string, most int) string {
	var found []string
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "Error ("); ok {
			found = append(found, "Error ("+strings.TrimSpace(rest))
		}
	}
	return strings.Join(found[max(0, len(found)-most):], "; ")
}

func lastLines(text string, most int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "; ")
}
