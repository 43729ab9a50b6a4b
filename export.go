package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vethlab/labengine/plan"
)

func exportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:     "export LAB.yaml --to sh [-o FILE]",
		Short:   "Print a lab in another form: sh, a script that makes it by hand",
		Example: "  vethlab export examples/red-and-blue.yaml --to sh",
		Args:    takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "sh" {
				return fmt.Errorf("cannot export to %q; the formats are: sh", format)
			}
			lab, _, err := readLab(args[0])
			if err != nil {
				return err
			}
			script := plan.Script(lab)
			if output != "" {
				return os.WriteFile(output, []byte(script), 0o755)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), script)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "to", "sh", "the format: sh")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this file")
	return cmd
}
