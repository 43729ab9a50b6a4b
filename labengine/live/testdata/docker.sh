# What Docker makes of `docker run -d -p 8080:80 web`, as docker_test.go compares it: its links, addresses, routes, rules.
#
#   unshare -n -m -p --fork --kill-child --mount-proc --propagation private sh docker.sh      as root, where dockerd is installed
#
# Docker runs in network, mount and pid namespaces of its own, with folders of its own: of the machine's own network and
# containers it sees nothing, and when the script ends so does all that it has started. Only cgroups are the machine's.
set -e
mount -t tmpfs none /run
work=/run/work
mkdir $work
ip link set lo up

dockerd --cgroup-parent /vethlab-docker-test --data-root $work/data --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs >"$work/log" 2>&1 &
daemon=$!
trap 'docker rm -f web >&2 || true; kill $daemon; wait $daemon || true
	find /sys/fs/cgroup -depth -type d -path "*/vethlab-docker-test*" -exec rmdir {} + 2>/dev/null || true' EXIT
tries=0
until docker version >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 120 ] || { cat "$work/log" >&2; exit 1; }
	sleep 0.5
done

# An image of busybox alone, with the libraries that it needs.
mkdir -p "$work/image/bin"
busybox=$(command -v busybox)
for f in "$busybox" $(ldd "$busybox" | grep -o '/[^ ]*' || true); do
	mkdir -p "$work/image$(dirname "$f")"
	cp -L "$f" "$work/image$f"
done
tar -C "$work/image" -c . | docker import - web >&2
docker run -d --name web -p 8080:80 web "$busybox" sleep 1000 >&2
pid=$(docker inspect -f '{{.State.Pid}}' web)

echo "== version"
docker version -f '{{.Server.Version}}'
echo "== host address"
ip -o address show dev docker0 scope global | awk '{print $2, $4}'
echo "== host ports"
ip -o link show master docker0 | wc -l
echo "== host forward"
cat /proc/sys/net/ipv4/ip_forward
echo "== web address"
nsenter -t "$pid" -n ip -o address show scope global | awk '{print $2, $4}'
echo "== web routes"
nsenter -t "$pid" -n ip route | sed 's/ *$//'
echo "== filter"
iptables -S
echo "== nat"
iptables -t nat -S
