{{- /* Labels of what the parent chart makes. */ -}}
{{- define "kubefed.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: kubefed
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- /* One FederatedTypeConfig: a dict with the keys root, plural, group, version, kind, scope and federatedScope. */ -}}
{{- define "kubefed.type" -}}
---
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata:
  name: {{ if .group }}{{ .plural }}.{{ .group }}{{ else }}{{ .plural }}{{ end }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    kubefed.io/from-chart: "true"
    {{- include "kubefed.labels" .root | nindent 4 }}
spec:
  federatedType:
    group: types.kubefed.io
    kind: Federated{{ .kind }}
    pluralName: federated{{ .plural }}
    scope: {{ .federatedScope }}
    version: v1beta1
  propagation: Enabled
  targetType:
    {{- if .group }}
    group: {{ .group }}
    {{- end }}
    kind: {{ .kind }}
    pluralName: {{ .plural }}
    scope: {{ .scope }}
    version: {{ .version }}
{{- end -}}
