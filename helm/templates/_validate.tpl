{{- /* What the schema cannot say: everything that is wrong between values, all at once, with what to do. */}}
{{- define "signalbox.validate" -}}
{{- $problems := list }}
{{- $own := include "signalbox.keys" (dict "map" (include "signalbox.ownConfig" . | fromYaml) "below" "") | splitList "\n" | compact }}
{{- range include "signalbox.keys" (dict "map" .Values.config "below" "") | splitList "\n" | compact }}
{{- if has . $own }}
{{- $problems = append $problems (printf "config.%s: the chart sets this from a value of its own; use that" .) }}
{{- end }}
{{- end }}
{{- with .Values.policy }}
{{- if and .files .existingConfigMap }}
{{- $problems = append $problems "policy: files and existingConfigMap exclude each other; leave one out" }}
{{- end }}
{{- if and .files (not (hasKey .files "default.yaml")) }}
{{- $problems = append $problems "policy.files: everyone's policy is missing; add `default.yaml`" }}
{{- end }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- $problems = append $problems "autoscaling: minReplicas is more than maxReplicas" }}
{{- end }}
{{- end }}
{{- if eq (int .Values.ports.grpc) (int .Values.ports.metrics) }}
{{- $problems = append $problems "ports: grpc and metrics are the same; choose two" }}
{{- end }}
{{- if and .Values.tls.clientAuth (not .Values.tls.existingSecret) }}
{{- $problems = append $problems "tls.clientAuth: needs tls.existingSecret" }}
{{- end }}
{{- if eq .Values.shared.urlKey .Values.shared.secretKey }}
{{- $problems = append $problems "shared: urlKey and secretKey are the same; choose two" }}
{{- end }}
{{- if eq .Values.llm.mode "remote" }}
{{- range $key := list "url" "model" }}
{{- if not (get $.Values.llm.remote $key) }}
{{- $problems = append $problems (printf "llm.remote.%s: needed where llm.mode is remote" $key) }}
{{- end }}
{{- end }}
{{- else if eq .Values.llm.mode "inProcess" }}
{{- with .Values.llm.inProcess }}
{{- $hub := eq .weights.from "hub" }}
{{- $wanted := dict "claim" .weights.claim "image" .weights.image "init" .weights.init.image "hub" .path }}
{{- if not (get $wanted .weights.from) }}
{{- $name := ternary "init.image" .weights.from (eq .weights.from "init") }}
{{- $problems = append $problems (printf "llm.inProcess.weights.%s: needed where weights.from is %s" $name .weights.from) }}
{{- end }}
{{- if ne $hub (hasPrefix "hf:" .path) }}
{{- $problems = append $problems "llm.inProcess.path: `hf:org/name@revision` goes with weights.from hub, and only with that" }}
{{- end }}
{{- end }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n%d problem(s) in the values:\n  %s" (len $problems) (join "\n  " $problems)) }}
{{- end }}
{{- end }}
