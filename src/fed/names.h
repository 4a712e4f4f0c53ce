/*
 * The names of KubeFed: labels, annotations, finalizers, groups, objects, status and reason strings (controllers.md 10,
 * 6.2, 6.3; api-and-cli.md 2), and the rules that make one name from another.
 */
#ifndef FED_NAMES_H
#define FED_NAMES_H

#include "base/str.h"

/* Groups and versions. */
#define FED_CORE_GROUP "core.kubefed.io"
#define FED_CORE_VERSION "v1beta1"
#define FED_CORE_API_VERSION "core.kubefed.io/v1beta1"
#define FED_CORE_ALPHA_VERSION "v1alpha1"
#define FED_CORE_ALPHA_API_VERSION "core.kubefed.io/v1alpha1"
#define FED_SCHEDULING_GROUP "scheduling.kubefed.io"
#define FED_SCHEDULING_VERSION "v1alpha1"
#define FED_TYPES_GROUP "types.kubefed.io" /* default of federated types */
#define FED_TYPES_VERSION "v1beta1"

/* Labels and annotations. */
#define FED_MANAGED_LABEL "kubefed.io/managed"
#define FED_MANAGED_TRUE "true"
#define FED_MANAGED_FALSE "false" /* the member's owner opted out */
#define FED_ORPHAN_ANNOTATION "kubefed.io/orphan"
#define FED_ORPHAN_TRUE "true"
#define FED_DELETE_OPTIONS_ANNOTATION "kubefed.io/deleteoption"
/* An addition: after which time a deletion leaves unreachable members behind (fed/behavior.h). */
#define FED_ORPHAN_UNREACHABLE_ANNOTATION "kubefed.io/orphan-unreachable-after"

/* Finalizers. */
#define FED_SYNC_FINALIZER "kubefed.io/sync-controller"
#define FED_TYPE_CONFIG_FINALIZER "core.kubefed.io/federated-type-config"

/* Objects. */
#define FED_DEFAULT_NAMESPACE "kube-federation-system"
#define FED_CONFIG_NAME "kubefed"
#define FED_LOCK_NAME "kubefed-controller-manager" /* also the event source component */
#define FED_NAMESPACES_FTC "namespaces"
#define FED_SERVICES_FTC "services"
#define FED_TOKEN_KEY "token" /* in the Secret of a KubeFedCluster */
#define FED_CA_KEY "ca.crt"

/* Kinds and plurals of the core group. */
#define FED_CLUSTER_KIND "KubeFedCluster"
#define FED_CLUSTER_PLURAL "kubefedclusters"
#define FED_CONFIG_KIND "KubeFedConfig"
#define FED_CONFIG_PLURAL "kubefedconfigs"
#define FED_TYPE_CONFIG_KIND "FederatedTypeConfig"
#define FED_TYPE_CONFIG_PLURAL "federatedtypeconfigs"
#define FED_VERSION_KIND "PropagatedVersion"
#define FED_VERSION_PLURAL "propagatedversions"
#define FED_CLUSTER_VERSION_KIND "ClusterPropagatedVersion"
#define FED_CLUSTER_VERSION_PLURAL "clusterpropagatedversions"

/* Enumerations of FTC and KubeFedConfig. */
#define FED_SCOPE_CLUSTER "Cluster"
#define FED_SCOPE_NAMESPACED "Namespaced"
#define FED_ENABLED "Enabled"
#define FED_DISABLED "Disabled"
#define FED_RUNNING "Running"
#define FED_NOT_RUNNING "NotRunning"

/* Status of a federated object in one cluster (controllers.md 6.3). */
#define FED_STATUS_OK ""
#define FED_STATUS_WAITING_FOR_REMOVAL "WaitingForRemoval"
#define FED_STATUS_CLUSTER_NOT_READY "ClusterNotReady"
#define FED_STATUS_CACHED_RETRIEVAL_FAILED "CachedRetrievalFailed"
#define FED_STATUS_COMPUTE_RESOURCE_FAILED "ComputeResourceFailed"
#define FED_STATUS_APPLY_OVERRIDES_FAILED "ApplyOverridesFailed"
#define FED_STATUS_CREATION_FAILED "CreationFailed"
#define FED_STATUS_UPDATE_FAILED "UpdateFailed"
#define FED_STATUS_DELETION_FAILED "DeletionFailed"
#define FED_STATUS_LABEL_REMOVAL_FAILED "LabelRemovalFailed"
#define FED_STATUS_RETRIEVAL_FAILED "RetrievalFailed"
#define FED_STATUS_ALREADY_EXISTS "AlreadyExists"
#define FED_STATUS_FIELD_RETENTION_FAILED "FieldRetentionFailed"
#define FED_STATUS_VERSION_RETRIEVAL_FAILED "VersionRetrievalFailed"
#define FED_STATUS_CLIENT_RETRIEVAL_FAILED "ClientRetrievalFailed"
#define FED_STATUS_MANAGED_LABEL_FALSE "ManagedLabelFalse"
#define FED_STATUS_CREATION_TIMED_OUT "CreationTimedOut"
#define FED_STATUS_UPDATE_TIMED_OUT "UpdateTimedOut"
#define FED_STATUS_DELETION_TIMED_OUT "DeletionTimedOut"
#define FED_STATUS_LABEL_REMOVAL_TIMED_OUT "LabelRemovalTimedOut"

/* Reason of the condition Propagation (controllers.md 6.2). */
#define FED_CONDITION_PROPAGATION "Propagation"
#define FED_REASON_SUCCESS ""
#define FED_REASON_CHECK_CLUSTERS "CheckClusters"
#define FED_REASON_NAMESPACE_NOT_FEDERATED "NamespaceNotFederated"
#define FED_REASON_COMPUTE_PLACEMENT_FAILED "ComputePlacementFailed"
#define FED_REASON_CLUSTER_RETRIEVAL_FAILED "ClusterRetrievalFailed"
/* An addition: another writer in a member changes what the template sets. */
#define FED_CONDITION_CONTESTED "Contested"

/* Condition types of a KubeFedCluster (api-and-cli.md 1.3). */
#define FED_CLUSTER_READY "Ready"
#define FED_CLUSTER_OFFLINE "Offline"
#define FED_CLUSTER_CONFIG_MALFORMED "ConfigMalformed"

/* Namespaces that are never federated: kube-system, kube-public, kube-node-lease, default and the system
 * namespace (controllers.md 5.3). */
bool fed_namespace_is_protected(struct str name, struct str system_namespace);

/* Names made from others. All results are owned (free()). */
char *fed_federated_kind(struct str target_kind);     /* "Federated<Kind>" */
char *fed_federated_plural(struct str target_plural); /* "federated<plural>": no pluralisation (api-and-cli.md 1.9.3) */
/* "<plural>" or "<plural>.<group>": the only name an FTC for that target may have (api-and-cli.md 1.5). */
char *fed_type_config_name(struct str plural, struct str group);
/* "<group>/<version>", or "<version>" when the group is empty. */
char *fed_api_version(struct str group, struct str version);
/* Plural of a kind as FTC defaulting makes it (P1 of api-and-cli.md 1.9.3): s x ch sh z o get "es", y becomes "ies". */
char *fed_plural(struct str kind);
/* Plural of a kind that was read from a file (P2): "endpoints" stays, s gets "es", y becomes "ies". */
char *fed_plural_of_file(struct str kind);
/* Name of the (Cluster)PropagatedVersion: "<lower target kind>-<name of the federated object>" (controllers.md 5.9). */
char *fed_version_name_of(struct str target_kind, struct str name);

#endif
