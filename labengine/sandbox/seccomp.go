package sandbox

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refused are the system calls that a machine has no use for and that have been, or could be, ways out of it. They
// fail with EPERM. See seccomp(2).
var refused = []uint32{
	unix.SYS_BPF,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, // keyrings are per user id, not per lab
	unix.SYS_USERFAULTFD,
	unix.SYS_PERF_EVENT_OPEN,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_SYSLOG, // the real machine's kernel log
	unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_ACCT,
	unix.SYS_QUOTACTL,
	unix.SYS_REBOOT, // in a pid namespace it kills the init
}

// setIDs change who a program is. Where a lab has a single id they can only fail, and programs that lay their rights
// down (tcpdump, dnsmasq) then refuse to start: there they do nothing, and say that it went well.
var setIDs = []uint32{
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_SETGROUPS,
}

const (
	secRetAllow = 0x7fff0000 // SECCOMP_RET_ALLOW in uapi/linux/seccomp.h
	secRetErrno = 0x00050000 // SECCOMP_RET_ERRNO, the errno in the low 16 bits

	x32Bit = 0x40000000 // __X32_SYSCALL_BIT in arch/x86/include/uapi/asm/unistd.h
)

// seccompFilter assembles the filter in the form that `bwrap --seccomp` reads: an array of struct sock_filter.
// System calls of another architecture (32-bit programs, x32) fail with ENOSYS: their numbers mean other calls.
func seccompFilter(singleID bool) ([]byte, error) {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no seccomp filter for %s", runtime.GOARCH)
	}
	noSuchCall := bpf.RetConstant{Val: secRetErrno | uint32(unix.ENOSYS)}
	prog := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 4}, // struct seccomp_data: nr, arch, ...
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		noSuchCall,
		bpf.LoadAbsolute{Off: 0, Size: 4},
	}
	if runtime.GOARCH == "amd64" {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: x32Bit, SkipFalse: 1}, noSuchCall)
	}
	answer := func(calls []uint32, errno uint32) {
		for _, nr := range calls {
			prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: 1},
				bpf.RetConstant{Val: secRetErrno | errno})
		}
	}
	answer(refused, uint32(unix.EPERM))
	if singleID {
		answer(setIDs, 0)
	}
	prog = append(prog, bpf.RetConstant{Val: secRetAllow})
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 8*len(raw))
	for _, in := range raw {
		out = binary.NativeEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out, nil
}
