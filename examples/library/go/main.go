// Two stacks in one program: a chat model for people, and a small one for tests on Spot VMs.
package main

import (
	"example.com/pulumi-llm-d/sdk/go/llmd/stack"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func program(ctx *pulumi.Context) error {
	settings := config.New(ctx, "")
	project := settings.Require("gcp-project")
	internal := stack.GatewayExposureInternal
	spot := stack.AcceleratorProvisioningSpot
	half := stack.ModelDtypeHalf
	// An output: planning does not need its value. An output for any other setting is a compile error.
	huggingFace := stack.HuggingFaceSettingsArgs{Token: settings.RequireSecret("hugging-face-token")}
	gateway := stack.GatewaySettingsArgs{Exposure: &internal}

	chat, err := stack.NewInferenceStack(ctx, "chat", &stack.InferenceStackArgs{
		Project:     project,
		Location:    "us-central1-a",
		Gateway:     &gateway,
		HuggingFace: &huggingFace,
		Accelerator: stack.AcceleratorSettingsArgs{
			Type:  "nvidia-l4",
			Nodes: &stack.NodeCountArgs{Min: pointer(1), Max: pointer(2)},
		},
		Models: []stack.ModelSettingsArgs{{Id: "google/gemma-2b-it", MaxModelLen: pointer(4096)}},
	})
	if err != nil {
		return err
	}
	trial, err := stack.NewInferenceStack(ctx, "trial", &stack.InferenceStackArgs{
		Project:     project,
		Location:    "us-central1-a",
		Gateway:     &gateway,
		HuggingFace: &huggingFace,
		Accelerator: stack.AcceleratorSettingsArgs{
			Type:         "nvidia-tesla-t4",
			Provisioning: &spot,
			Nodes:        &stack.NodeCountArgs{Min: pointer(1), Max: pointer(1)},
		},
		Models: []stack.ModelSettingsArgs{
			{Id: "Qwen/Qwen2.5-1.5B-Instruct", MaxModelLen: pointer(2048), Dtype: &half, GpuMemoryUtilization: pointer(0.88)},
		},
	})
	if err != nil {
		return err
	}
	ctx.Export("endpoints", pulumi.StringMap{"chat": chat.Endpoint, "trial": trial.Endpoint})
	ctx.Export("models", pulumi.StringArray{
		chat.Models.Index(pulumi.Int(0)).Name(),
		trial.Models.Index(pulumi.Int(0)).Name(),
	})
	ctx.Export("clusters", pulumi.StringArray{chat.ClusterName, trial.ClusterName})
	return nil
}

func pointer[T any](value T) *T {
	return &value
}

func main() {
	pulumi.Run(program)
}
