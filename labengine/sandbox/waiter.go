package sandbox

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A container's init has nothing to do but be there: the kernel ends a pid namespace with its PID 1, and reaps for a
// parent that ignores SIGCHLD, wait(2). A Go process that waits holds 3 MB for itself; this one, two pages. It calls
// itself "init", as ps(1) shows it, and pauses for ever.
var waiterCode = map[string][]byte{
	"amd64": {
		0xb8, 0x9d, 0x00, 0x00, 0x00, // mov $157, %eax    prctl
		0xbf, 0x0f, 0x00, 0x00, 0x00, // mov $15, %edi     PR_SET_NAME
		0x48, 0x8d, 0x35, 0x0b, 0x00, 0x00, 0x00, // lea name(%rip), %rsi
		0x0f, 0x05, // syscall
		0xb8, 0x22, 0x00, 0x00, 0x00, // wait: mov $34, %eax     pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp wait
		'i', 'n', 'i', 't', 0, // name:
	},
	"arm64": {
		0xe8, 0x14, 0x80, 0xd2, // mov x8, #167      prctl
		0xe0, 0x01, 0x80, 0xd2, // mov x0, #15       PR_SET_NAME
		0x21, 0x01, 0x00, 0x10, // adr x1, name
		0x01, 0x00, 0x00, 0xd4, // svc #0
		0x00, 0x00, 0x80, 0xd2, // wait: mov x0, #0
		0x01, 0x00, 0x80, 0xd2, // mov x1, #0
		0x02, 0x00, 0x80, 0xd2, // mov x2, #0
		0x03, 0x00, 0x80, 0xd2, // mov x3, #0
		0x28, 0x09, 0x80, 0xd2, // mov x8, #73       ppoll, of nothing
		0x01, 0x00, 0x00, 0xd4, // svc #0
		0xfa, 0xff, 0xff, 0x17, // b wait
		'i', 'n', 'i', 't', 0, // name:
	},
}

// waiterProgram is the waiter as an executable file, elf(5): one segment, no libraries.
func waiterProgram() ([]byte, error) {
	code, ok := waiterCode[runtime.GOARCH]
	if !ok {
		return nil, failed("a container's init for "+runtime.GOARCH, unix.ENOTSUP)
	}
	const base = 0x400000 // a multiple of every page size
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	header, segment := elf.Header64{}, elf.Prog64{}
	headers := uint64(binary.Size(header) + binary.Size(segment))
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	header.Type, header.Machine, header.Version = uint16(elf.ET_EXEC), uint16(machine), uint32(elf.EV_CURRENT)
	header.Entry, header.Phoff = base+headers, uint64(binary.Size(header))
	header.Ehsize, header.Phentsize, header.Phnum = uint16(binary.Size(header)), uint16(binary.Size(segment)), 1
	size := headers + uint64(len(code))
	segment = elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 1 << 16,
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, header) // to memory: it cannot fail
	binary.Write(&b, binary.LittleEndian, segment)
	b.Write(code)
	return b.Bytes(), nil
}

// becomeWaiter runs the waiter in the place of the calling process. folder is one that programs can be run from; nothing
// is left in it.
func becomeWaiter(folder string) error {
	program, err := waiterProgram()
	if err != nil {
		return err
	}
	path := folder + "/init"
	if err := os.WriteFile(path, program, 0o700); err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("open "+path, err)
	}
	if err := unix.Unlink(path); err != nil {
		return failed("unlink "+path, err)
	}
	if err := rtSigaction(int(unix.SIGCHLD), &sigaction{handler: sigIgnore}, nil); err != nil {
		return failed("ignore SIGCHLD", err)
	}
	return failed("run a container's init", execveat(fd, "init"))
}

// execveat replaces the process by the program that a descriptor names, with no environment, execveat(2).
func execveat(fd int, argv0 string) error {
	name, err := unix.BytePtrFromString(argv0)
	if err != nil {
		return err
	}
	var empty byte
	argv, envv := [2]*byte{name, nil}, [1]*byte{nil}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&envv)), unix.AT_EMPTY_PATH, 0)
	return errno
}
