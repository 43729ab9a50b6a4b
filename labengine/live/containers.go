package live

import (
	"context"
	"os"
	"syscall"

	"vethlab/labengine"
	"vethlab/labengine/kernel"
)

func (l *Lab) AddContainer(ctx context.Context, node labengine.ID, machine, name, command string) (*os.File, error) {
	return nil, syscall.ENOSYS
}
func (l *Lab) DeleteContainer(ctx context.Context, node labengine.ID) error { return syscall.ENOSYS }
func (l *Lab) RenameContainer(ctx context.Context, node labengine.ID, name string) error {
	return syscall.ENOSYS
}
func (l *Lab) AddService(n *kernel.Netns, service string) error { return syscall.ENOSYS }
func (l *Lab) DeleteService(node labengine.ID, service string) error {
	return syscall.ENOSYS
}
