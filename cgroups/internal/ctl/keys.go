package ctl

import "strings"

// StatKeys fills m with the pairs of a memory.stat. The names that kernels use
// are not made anew each time.
func StatKeys(m map[string]uint64, b []byte) {
	EachPair(b, func(key []byte, v uint64) { m[statName(key)] = v })
}

func statName(key []byte) string {
	name, total := key, len(key) > len("total_") && string(key[:len("total_")]) == "total_"
	if total {
		name = key[len("total_"):]
	}
	lo, hi := 0, len(statNames)
	for lo < hi {
		if mid := (lo + hi) / 2; strings.TrimPrefix(statNames[mid], "total_") < string(name) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(statNames) || strings.TrimPrefix(statNames[lo], "total_") != string(name) {
		return string(key)
	}
	if !total {
		return strings.TrimPrefix(statNames[lo], "total_")
	}
	return statNames[lo]
}

// statNames are the names in memory.stat of v1 and v2, in order but for the
// prefix that v1 gives to the sums over children.
var statNames = [...]string{
	"total_active_anon", "total_active_file", "total_anon", "total_anon_thp", "total_cache", "total_dirty", "total_file",
	"total_file_dirty", "total_file_mapped", "total_file_thp", "total_file_writeback", "total_hierarchical_memory_limit",
	"total_hierarchical_memsw_limit", "total_hugetlb", "total_inactive_anon", "total_inactive_file", "total_kernel",
	"total_kernel_stack", "total_mapped_file", "total_numa_hint_faults", "total_numa_pages_migrated", "total_numa_pte_updates",
	"total_pagetables", "total_percpu", "total_pgactivate", "total_pgdeactivate", "total_pgdemote_direct", "total_pgdemote_khugepaged",
	"total_pgdemote_kswapd", "total_pgdemote_proactive", "total_pgfault", "total_pglazyfree", "total_pglazyfreed", "total_pgmajfault",
	"total_pgpgin", "total_pgpgout", "total_pgpromote_success", "total_pgrefill", "total_pgscan", "total_pgscan_direct",
	"total_pgscan_khugepaged", "total_pgscan_kswapd", "total_pgscan_proactive", "total_pgsteal", "total_pgsteal_direct",
	"total_pgsteal_khugepaged", "total_pgsteal_kswapd", "total_pgsteal_proactive", "total_rss", "total_rss_huge", "total_sec_pagetables",
	"total_shmem", "total_shmem_thp", "total_slab", "total_slab_reclaimable", "total_slab_unreclaimable", "total_sock", "total_swap",
	"total_swapcached", "total_swpin_zero", "total_swpout_zero", "total_thp_collapse_alloc", "total_thp_fault_alloc",
	"total_thp_swpout", "total_thp_swpout_fallback", "total_unevictable", "total_vmalloc", "total_workingset_activate_anon",
	"total_workingset_activate_file", "total_workingset_nodereclaim", "total_workingset_refault", "total_workingset_refault_anon",
	"total_workingset_refault_file", "total_workingset_restore_anon", "total_workingset_restore_file", "total_writeback",
	"total_zswap", "total_zswapped", "total_zswpin", "total_zswpout", "total_zswpwb",
}
