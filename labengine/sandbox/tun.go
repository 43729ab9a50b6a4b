package sandbox

import (
	"os"

	"golang.org/x/sys/unix"
)

// netDevices is the folder in which programs find the device that makes tun and tap interfaces, tun(4).
const netDevices = "/dev/net"

// The device's numbers, Documentation/admin-guide/devices.txt.
const (
	tunMajor = 10
	tunMinor = 200
)

// openNetDevices gives a file system with a tun device that a lab's ids may open, to be mounted at [netDevices], where the
// real one is root's alone, as on systems without udev; nil where there is no need for it, or no way. Whoever opens the
// device, the kernel asks for CAP_NET_ADMIN over the namespace that an interface is for.
func openNetDevices() *os.File {
	const everyone = 0o666
	info, err := os.Stat(netDevices + "/tun")
	if err != nil || info.Mode().Perm()&everyone == everyone || os.Geteuid() != 0 {
		return nil
	}
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "mode", "0755"); err != nil {
		return nil
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	err = unix.Mknodat(mount, "tun", unix.S_IFCHR|everyone, int(unix.Mkdev(tunMajor, tunMinor)))
	if err == nil {
		err = unix.Fchmodat(mount, "tun", everyone, 0) // whatever the umask is
	}
	if err != nil {
		unix.Close(mount)
		return nil
	}
	return os.NewFile(uintptr(mount), netDevices)
}

// mountNetDevices mounts what the starter has handed over, if it has.
func mountNetDevices() error {
	var stat unix.Stat_t
	if unix.Fstat(fdNetDevices, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	defer unix.Close(fdNetDevices)
	return failed("mount "+netDevices, unix.MoveMount(fdNetDevices, "", unix.AT_FDCWD, netDevices, unix.MOVE_MOUNT_F_EMPTY_PATH))
}
