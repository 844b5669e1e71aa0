user:    ctr tasks exec --exec-id e1 c2 true
runtime: tare --root /run/containerd/runc/default --log /run/containerd/io.containerd.runtime.v2.task/default/c2/log.json --log-format json exec --process /tmp/runc-process0 --detach --pid-file /run/containerd/io.containerd.runtime.v2.task/default/c2/e1.pid c2 
