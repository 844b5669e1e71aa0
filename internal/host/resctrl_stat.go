package host

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// RdtStats is what resctrl says about a container, marshalled as intel_rdt of a stats event. What the
// processor or the kernel does not offer is absent.
type RdtStats struct {
	L3Info     *RdtCacheInfo  `json:"l3_cache_info,omitempty"`
	L3Root     string         `json:"l3_cache_schema_root,omitempty"` // the schema of the root group
	L3         string         `json:"l3_cache_schema,omitempty"`
	MemBWInfo  *RdtMemBWInfo  `json:"mem_bw_info,omitempty"`
	MemBWRoot  string         `json:"mem_bw_schema_root,omitempty"`
	MemBW      string         `json:"mem_bw_schema,omitempty"`
	Schemata   []string       `json:"schemata,omitempty"` // all lines of the container's group
	Bandwidth  []RdtBandwidth `json:"mbm_stats,omitempty"`
	Occupation []RdtOccupancy `json:"cmt_stats,omitempty"`
}

// RdtCacheInfo is info/L3: masks in hexadecimal, without 0x.
type RdtCacheInfo struct {
	CbmMask    string `json:"cbm_mask,omitempty"`
	MinCbmBits uint64 `json:"min_cbm_bits,omitempty"`
	NumClosids uint64 `json:"num_closids,omitempty"`
}

// RdtMemBWInfo is info/MB, in percent.
type RdtMemBWInfo struct {
	BandwidthGran uint64 `json:"bandwidth_gran,omitempty"`
	DelayLinear   uint64 `json:"delay_linear,omitempty"`
	MinBandwidth  uint64 `json:"min_bandwidth,omitempty"`
	NumClosids    uint64 `json:"num_closids,omitempty"`
}

// RdtBandwidth is the memory traffic of one cache domain, in bytes.
type RdtBandwidth struct {
	Total uint64 `json:"mbm_total_bytes"`
	Local uint64 `json:"mbm_local_bytes"`
}

// RdtOccupancy is the share of one domain's cache that is in use, in bytes.
type RdtOccupancy struct {
	Bytes uint64 `json:"llc_occupancy"`
}

// Stat reads what resctrl, mounted at root, says about the group.
func (g *RdtGroup) Stat(root string) (*RdtStats, error) {
	s := new(RdtStats)
	info := rdtInfo{dir: filepath.Join(root, "info", "L3")}
	if info.there() {
		s.L3Info = &RdtCacheInfo{CbmMask: info.text("cbm_mask"), MinCbmBits: info.number("min_cbm_bits"), NumClosids: info.number("num_closids")}
	}
	info.dir = filepath.Join(root, "info", "MB")
	if info.there() {
		s.MemBWInfo = &RdtMemBWInfo{BandwidthGran: info.number("bandwidth_gran"), DelayLinear: info.number("delay_linear"),
			MinBandwidth: info.number("min_bandwidth"), NumClosids: info.number("num_closids")}
	}
	all, err := os.ReadFile(filepath.Join(root, "schemata"))
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile(filepath.Join(g.Dir, "schemata"))
	if err != nil {
		return nil, err
	}
	s.L3Root, s.MemBWRoot = schemaLine(string(all), "L3"), schemaLine(string(all), "MB")
	s.L3, s.MemBW = schemaLine(string(own), "L3"), schemaLine(string(own), "MB")
	for line := range strings.Lines(string(own)) {
		s.Schemata = append(s.Schemata, strings.TrimSpace(line))
	}
	mon := g.Mon
	if mon == "" {
		mon = g.Dir
	}
	return s, s.monitor(filepath.Join(mon, "mon_data"))
}

// monitor reads the counters of each cache domain; without monitoring there is no such directory.
func (s *RdtStats) monitor(dir string) error {
	domains, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range domains {
		if !strings.HasPrefix(d.Name(), "mon_L3_") {
			continue
		}
		i := rdtInfo{dir: filepath.Join(dir, d.Name())}
		if i.text("mbm_total_bytes") != "" || i.text("mbm_local_bytes") != "" {
			s.Bandwidth = append(s.Bandwidth, RdtBandwidth{i.number("mbm_total_bytes"), i.number("mbm_local_bytes")})
		}
		if i.text("llc_occupancy") != "" {
			s.Occupation = append(s.Occupation, RdtOccupancy{i.number("llc_occupancy")})
		}
	}
	return nil
}

// rdtInfo is a directory of small files.
type rdtInfo struct{ dir string }

func (i rdtInfo) there() bool {
	st, err := os.Stat(i.dir)
	return err == nil && st.IsDir()
}

// text is "" for a file that is missing, and one that says Unavailable or Error instead of a number.
func (i rdtInfo) text(name string) string {
	b, err := os.ReadFile(filepath.Join(i.dir, name))
	b = bytes.TrimSpace(b)
	if err != nil || bytes.Equal(b, []byte("Unavailable")) || bytes.Equal(b, []byte("Error")) {
		return ""
	}
	return string(b)
}

func (i rdtInfo) number(name string) uint64 {
	n, err := strconv.ParseUint(i.text(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
