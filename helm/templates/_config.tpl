{{- /*
The server's configuration: what the chart must know itself, and `config` beside it. The names of the server's settings
stand here and nowhere else in the chart.
*/}}
{{- define "signalbox.ownConfig" -}}
listen: {{ printf "%s:%d" .Values.bindAddress (int .Values.ports.grpc) | quote }}
metrics: {{ printf "%s:%d" .Values.bindAddress (int .Values.ports.metrics) | quote }}
drain_ms: {{ mul .Values.shutdown.drainSeconds 1000 }}
stop_deadline_ms: {{ mul .Values.shutdown.deadlineSeconds 1000 }}
{{- if include "signalbox.policyConfigMap" . }}
policy: /etc/signalbox/policy
{{- end }}
{{- if .Values.tls.existingSecret }}
tls:
  cert: /etc/signalbox/tls/tls.crt
  key: /etc/signalbox/tls/tls.key
  {{- if .Values.tls.clientAuth }}
  client_ca: /etc/signalbox/tls/ca.crt
  {{- end }}
{{- end }}
{{- if .Values.admin.existingSecret }}
admin:
  tokens_file: /etc/signalbox/admin/{{ .Values.admin.key }}
{{- end }}
{{- if .Values.audit.enabled }}
audit:
  path: /var/log/signalbox/audit.jsonl
{{- end }}
{{- with .Values.shared }}
{{- if .existingSecret }}
shared:
  url_file: /etc/signalbox/shared/{{ .urlKey }}
  secret_file: /etc/signalbox/shared/{{ .secretKey }}
{{- end }}
{{- end }}
{{- if ne .Values.llm.mode "off" }}
llm:
  required: {{ .Values.llm.required }}
  {{- if eq .Values.llm.mode "remote" }}
  {{- with .Values.llm.remote }}
  remote:
    url: {{ .url | quote }}
    model: {{ .model | quote }}
    {{- if .existingSecret }}
    api_key_env: LLM_API_KEY
    {{- end }}
  {{- end }}
  {{- else }}
  {{- with .Values.llm.inProcess }}
  path: {{ .path | quote }}
  device: {{ if .gpu.count }}gpu{{ else }}cpu{{ end }}
  {{- with .quantize }}
  quantize: {{ . | quote }}
  {{- end }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* JSON is YAML, and writes whole numbers as such. */}}
{{- define "signalbox.config" -}}
{{ mustMergeOverwrite (deepCopy .Values.config) (include "signalbox.ownConfig" . | fromYaml) | toPrettyJson }}
{{- end }}

{{- /* The keys of a map, one a line, sections joined by dots. */}}
{{- define "signalbox.keys" -}}
{{- range $key, $value := .map }}
{{- if kindIs "map" $value }}
{{- include "signalbox.keys" (dict "map" $value "below" (printf "%s%s." $.below $key)) }}
{{- else }}
{{- printf "%s%s\n" $.below $key }}
{{- end }}
{{- end }}
{{- end }}
