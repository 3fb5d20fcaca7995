#!/usr/bin/env bash
# One would guess: KEDA keeps a workload at its minReplicaCount whatever its triggers say, or at its fallback where they
# fail.
# What happens: a workload that has no replica is raised to its minimum only where no trigger fails. Metrics of the
# workload itself are gone with its last replica, and such a trigger fails from then on (with ignoreNullValues: "false"):
# scaled to 0 by a pause or by hand it stays there, with a minimum of 2 and also with a fallback. The annotation
# autoscaling.keda.sh/force-activation, of KEDA 2.18 and newer, raises it.
# Version: github.com/kedacore/keda/v2 v2.20.2, pkg/scaling/executor/scale_scaledobjects.go (RequestScale).
# Output seen on 2026-12-01 (the replicas that KEDA asks for where there are none, and the minimum is 2):
#   no trigger is active: 2
#   the trigger fails: none
#   the trigger fails, with a fallback of 2: none
#   the trigger fails, with force-activation: 2
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

printf 'module finding\n\ngo 1.26.0\n' >go.mod
go mod download -json github.com/kedacore/keda/v2@v2.20.2 >module.json
keda=$(sed -nE 's/^\t"Dir": "(.*)",$/\1/p' module.json)
sed -n '/^replace (/,/^)/p' "$keda/go.mod" >>go.mod
# KEDA's own executor, with a resolver that reads Deployments only: the other one brings every scaler's packages.
mkdir executor resolver
for file in scale_executor scale_jobs scale_scaledobjects; do
  sed 's|github.com/kedacore/keda/v2/pkg/scaling/resolver|finding/resolver|' "$keda/pkg/scaling/executor/$file.go" >executor/$file.go
done
cat >resolver/resolver.go <<'GO'
package resolver

import (
	"context"

	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func GetCurrentReplicas(ctx context.Context, kube client.Client, _ scale.ScalesGetter, scaled *v1alpha1.ScaledObject) (int32, error) {
	workload := &appsv1.Deployment{}
	err := kube.Get(ctx, client.ObjectKey{Namespace: scaled.Namespace, Name: scaled.Spec.ScaleTargetRef.Name}, workload)
	return *workload.Spec.Replicas, err
}
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/scale/fake"
	"k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"finding/executor"
)

// ask prints what KEDA asks for where a Deployment has no replica and its ScaledObject's minimum is 2.
func ask(question string, failed bool, fallback *v1alpha1.Fallback, annotations map[string]string) {
	none, minimum := int32(0), int32(2)
	meta := metav1.ObjectMeta{Name: "server", Namespace: "llm", Annotations: annotations}
	workload := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &none}}
	deployments := v1alpha1.GroupVersionKindResource{Group: "apps", Version: "v1", Kind: "Deployment", Resource: "deployments"}
	target := &v1alpha1.ScaleTarget{Name: "server"}
	scaled := &v1alpha1.ScaledObject{
		ObjectMeta: meta,
		Spec:       v1alpha1.ScaledObjectSpec{ScaleTargetRef: target, MinReplicaCount: &minimum, Fallback: fallback},
		Status:     v1alpha1.ScaledObjectStatus{ScaleTargetKind: "apps/v1.Deployment", ScaleTargetGVKR: &deployments},
	}
	scheme := runtime.NewScheme()
	if err := appsv1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	answer := "none"
	scales := &fake.FakeScaleClient{}
	scales.AddReactor("get", "deployments", func(testing.Action) (bool, runtime.Object, error) {
		return true, &autoscalingv1.Scale{ObjectMeta: meta}, nil
	})
	scales.AddReactor("update", "deployments", func(action testing.Action) (bool, runtime.Object, error) {
		scale := action.(testing.UpdateAction).GetObject().(*autoscalingv1.Scale)
		answer = fmt.Sprint(scale.Spec.Replicas)
		return true, scale, nil
	})
	kube := fakeclient.NewClientBuilder().WithScheme(scheme).WithObjects(workload).Build()
	keda := executor.NewScaleExecutor(kube, scales, scheme, events.NewFakeRecorder(9))
	keda.RequestScale(context.Background(), scaled, false, failed, executor.ScaleExecutorOptions{})
	fmt.Printf("%s: %s\n", question, answer)
}

func main() {
	ask("no trigger is active", false, nil, nil)
	ask("the trigger fails", true, nil, nil)
	ask("the trigger fails, with a fallback of 2", true, &v1alpha1.Fallback{FailureThreshold: 1, Replicas: 2}, nil)
	forced := map[string]string{v1alpha1.ForceActivationAnnotation: "true"}
	ask("the trigger fails, with force-activation", true, nil, forced)
}
GO
go get github.com/kedacore/keda/v2@v2.20.2 2>/dev/null

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((no|the) trigger.*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
