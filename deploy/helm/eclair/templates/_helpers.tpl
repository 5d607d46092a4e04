{{- define "eclair.name" -}}
{{- if contains "eclair" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-eclair" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "eclair.selector" -}}
app.kubernetes.io/name: eclair
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "eclair.labels" -}}
{{ include "eclair.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "eclair.host" -}}
{{ (urlParse .Values.publicUrl).host }}
{{- end }}

{{- define "eclair.path" -}}
{{ (urlParse .Values.publicUrl).path | trimSuffix "/" }}
{{- end }}
