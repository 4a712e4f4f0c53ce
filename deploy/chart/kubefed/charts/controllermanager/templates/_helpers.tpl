{{- /* What several templates of the sub-chart need. */ -}}

{{- define "controllermanager.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "controllermanager.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: kubefed
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ include "controllermanager.chart" . | quote }}
{{- end -}}

{{- /* Cluster, or Namespaced. */ -}}
{{- define "controllermanager.scope" -}}
{{- .Values.global.scope | default "Cluster" -}}
{{- end -}}

{{- /* The image of a dict with the keys repository, image, tag and version. */ -}}
{{- define "controllermanager.image" -}}
{{- if .repository -}}
{{- printf "%s/" (.repository | trimSuffix "/") -}}
{{- end -}}
{{- printf "%s:%s" (.image | default "kubefed") (.tag | default .version) -}}
{{- end -}}

{{- /* Where the webhook's certificate comes from: own, cert-manager or existing. */ -}}
{{- define "controllermanager.certificates" -}}
{{- $certManager := .Values.certManager | default (dict) -}}
{{- if and $certManager.enabled .Values.webhook.existingCertSecret -}}
{{- fail "certManager.enabled and webhook.existingCertSecret exclude each other" -}}
{{- else if $certManager.enabled -}}
cert-manager
{{- else if .Values.webhook.existingCertSecret -}}
existing
{{- else -}}
own
{{- end -}}
{{- end -}}

{{- /* Suffix of what is cluster-wide and exists once for each control plane. */ -}}
{{- define "controllermanager.suffix" -}}
{{- if eq (include "controllermanager.scope" .) "Namespaced" -}}
{{- printf "-%s" .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- /* Labels of an object whose labels are values too: a dict with the keys root, own (the chart's, beside the usual ones) and more
(the values); the chart's win. */ -}}
{{- define "controllermanager.mergedLabels" -}}
{{- toYaml (merge (dict) (.own | default (dict)) (include "controllermanager.labels" .root | fromYaml) (.more | default (dict))) -}}
{{- end -}}

{{- /* A count: a dict with the keys given and default. Null takes the default; 0 stays 0, which `default` would not leave alone. */ -}}
{{- define "controllermanager.count" -}}
{{- if kindIs "invalid" .given -}}
{{- .default -}}
{{- else -}}
{{- .given | int -}}
{{- end -}}
{{- end -}}

{{- define "controllermanager.controllerReplicas" -}}
{{- include "controllermanager.count" (dict "given" .Values.controller.replicaCount "default" 2) -}}
{{- end -}}

{{- define "controllermanager.webhookReplicas" -}}
{{- include "controllermanager.count" (dict "given" .Values.webhook.replicaCount "default" 2) -}}
{{- end -}}

{{- /* Kind of the lock of the leader election. */ -}}
{{- define "controllermanager.lock" -}}
{{- .Values.controller.leaderElectionLock | default .Values.leaderElectResourceLock | default "configmaps" -}}
{{- end -}}

{{- /* Annotations of pods: a dict with the keys component (its podAnnotations and forceRedeployment) and own (the chart's, which win). */ -}}
{{- define "controllermanager.podAnnotations" -}}
{{- $own := .own -}}
{{- if .component.forceRedeployment -}}
{{- $own = merge (dict "rollme" (randAlphaNum 5)) $own -}}
{{- end -}}
{{- with merge (dict) $own (.component.podAnnotations | default (dict)) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{- /* Where pods run; a dict with the keys values and label (of the component's pods, with its value). */ -}}
{{- define "controllermanager.placement" -}}
{{- with .values.imagePullSecrets }}
imagePullSecrets:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with .values.commonNodeSelector }}
nodeSelector:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.commonTolerations }}
tolerations:
{{- toYaml . | nindent 0 }}
{{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{ .label }}: {{ .is | quote }}
{{- end -}}

{{- /* The restricted Pod Security Standard. */ -}}
{{- define "controllermanager.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1001
runAsGroup: 1001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "controllermanager.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
  - ALL
{{- end -}}

{{- /* Environment of a component. */ -}}
{{- define "controllermanager.env" -}}
{{- range $name, $value := .env }}
- name: {{ $name | quote }}
  {{- if or (kindIs "string" $value) (kindIs "bool" $value) }}
  value: {{ $value | toString | quote }}
  {{- else }}
  {{- /* Helm makes a float of a number in a file, which is printed as 1e+07; the schema lets whole ones through only. */}}
  value: {{ $value | int64 | toString | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "controllermanager.disruptionBudgetVersion" -}}
{{- if semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version -}}
policy/v1
{{- else -}}
policy/v1beta1
{{- end -}}
{{- end -}}
