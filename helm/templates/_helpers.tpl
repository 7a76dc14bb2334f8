{{- define "signalbox.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- /* At most 53 characters: the longest suffix is `-dashboard`. */}}
{{- define "signalbox.fullname" -}}
{{- $name := include "signalbox.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "signalbox.selector" -}}
app.kubernetes.io/name: {{ include "signalbox.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signalbox.testLabels" -}}
app.kubernetes.io/name: {{ include "signalbox.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signalbox.labels" -}}
{{ include "signalbox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signalbox.image" -}}
{{- $gpu := and (eq .Values.llm.mode "inProcess") (gt (int .Values.llm.inProcess.gpu.count) 0) }}
{{- $tag := .Values.image.tag | default (printf "%s%s" .Chart.AppVersion (ternary "-cuda" "" $gpu)) }}
{{- .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}

{{- define "signalbox.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "signalbox.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- /* The ConfigMap with the policies; empty where the example in the binary is served. */}}
{{- define "signalbox.policyConfigMap" -}}
{{- if .Values.policy.files }}{{ include "signalbox.fullname" . }}-policy{{ else }}{{ .Values.policy.existingConfigMap }}{{ end }}
{{- end }}

{{- /* The fewest pods that there may be. */}}
{{- define "signalbox.fewest" -}}
{{ ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- /* Whether the model's weights come from a hub while the server starts. */}}
{{- define "signalbox.fromHub" -}}
{{- if and (eq .Values.llm.mode "inProcess") (eq .Values.llm.inProcess.weights.from "hub") }}yes{{ end }}
{{- end }}

{{- /*
A probe: a service name of grpc.health.v1, asked by the kubelet. It speaks no TLS: there, the listener for metrics is asked,
whose answers are the same.
*/}}
{{- define "signalbox.probe" -}}
{{- if not .root.Values.tls.existingSecret -}}
grpc: {port: {{ int .root.Values.ports.grpc }}, service: {{ .service }}}
{{- else -}}
httpGet: {port: metrics, path: {{ if eq .service "liveness" }}/livez{{ else }}/readyz{{ end }}}
{{- end }}
timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
{{- end }}
