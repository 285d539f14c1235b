package main

import (
	"github.com/spf13/cobra"

	"seedcorn/bot/web"
)

func (a *app) grafanaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "grafana", Short: "a dashboard (JSON) of what /metrics shows, to be imported", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(web.Dashboard)
			return err
		},
	}
}
