#!/bin/sh
# ovs-vsctl(8) in a lab: a bridge that is added without a datapath type gets the one in user space. The one in the kernel,
# which it would get elsewhere, is not to be had in a lab, and ovs-vsctl would say so although the bridge works.
names= state=
for word; do
	case $state:$word in
	*:--) [ "$state" = name ] && names="$names $name"; state= ;;
	:add-br) state=add ;;
	add:-*) ;;
	add:*) name=$word state=name ;;
	name:*) state=fake ;; # PARENT VLAN: no bridge of its own
	esac
	case $word in datapath_type=*) exec /.ovs/ovs-vsctl "$@" ;; esac
done
[ "$state" = name ] && names="$names $name"
for name in $names; do
	set -- "$@" -- set bridge "$name" datapath_type=netdev
done
exec /.ovs/ovs-vsctl "$@"
