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

{{- define "eclair.workerSelector" -}}
app.kubernetes.io/name: eclair-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "eclair.workerLabels" -}}
{{ include "eclair.workerSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* "true" where the data folder of a server is the claim: it is alone, or all share the folder. */}}
{{- define "eclair.usesClaim" -}}
{{ if and .Values.persistence.enabled (or .Values.sharedStorage (eq (int .Values.replicas) 1)) }}true{{ end }}
{{- end }}

{{- /* Fails where several pods would not see the same database and files. */}}
{{- define "eclair.check" -}}
{{- if or (gt (int .Values.replicas) 1) (gt (int .Values.worker.replicas) 0) }}
{{- if not (or .Values.sharedStorage .Values.settings.blobs_url) }}
{{- fail "More than one replica, or a worker, needs files that all share: set `settings.blobs_url`, or `sharedStorage: true`." }}
{{- end }}
{{- if not (or .Values.secretEnvironment .Values.settings.database_url) }}
{{- fail "More than one replica, or a worker, needs PostgreSQL: name a secret with ECLAIR_DATABASE_URL in `secretEnvironment`." }}
{{- end }}
{{- if not (or .Values.sharedStorage .Values.secretKey) }}
{{- fail "More than one replica, or a worker, needs one secret key for all: name its secret in `secretKey`." }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Connections that PostgreSQL needs: each pod's, also while pods are replaced, a backup's and an administrator's. */}}
{{- define "eclair.connections" -}}
{{- $servers := int .Values.replicas }}
{{- if or .Values.sharedStorage (gt $servers 1) }}{{ $servers = add $servers 1 }}{{ end }}
{{- $workers := int .Values.worker.replicas }}
{{- $workers = add $workers (ceil (divf $workers 4)) }}
{{- add (mul (int (.Values.settings.database_connections | default 17)) (add $servers $workers)) 4 }}
{{- end }}

{{- /* What the pods of servers and workers have in common, before their containers. */}}
{{- define "eclair.podSpec" -}}
automountServiceAccountToken: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add (int .Values.terminationSeconds) 30 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Image, rights and environment of both containers. */}}
{{- define "eclair.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: ECLAIR_CONFIG, value: /etc/eclair/eclair.toml}
  - {name: ECLAIR_PUBLIC_URL, value: {{ .Values.publicUrl | quote }}}
  - {name: ECLAIR_LOG_FORMAT, value: json}
  - {name: ECLAIR_DRAIN_SECONDS, value: {{ .Values.terminationSeconds | quote }}}
{{- if gt (int .Values.worker.replicas) 0 }}
  - {name: ECLAIR_BACKGROUND_WORK, value: workers}
{{- end }}
{{- if .Values.secretKey }}
  - {name: ECLAIR_SECRET_KEY_FILE, value: /run/secrets/eclair/secret.key}
{{- end }}
{{- with .Values.secretEnvironment }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
volumeMounts:
  - {name: data, mountPath: /var/lib/eclair}
  - {name: tmp, mountPath: /tmp}
  - {name: settings, mountPath: /etc/eclair, readOnly: true}
{{- if .Values.secretKey }}
  - {name: secret-key, mountPath: /run/secrets/eclair, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The volumes of both but the data folder. */}}
{{- define "eclair.volumes" -}}
- name: tmp
  emptyDir: {}
- name: settings
  configMap: {name: {{ include "eclair.name" . }}}
{{- if .Values.secretKey }}
- name: secret-key
  secret: {secretName: {{ .Values.secretKey }}, defaultMode: 0440}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "eclair.claim" -}}
persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default (include "eclair.name" .) }}}
{{- end }}
