/// Every limit of the data model, in one place.
///
/// Limits of the wire (frames, messages, metadata) are `WireLimits` in TidemarkWire.
public enum Limits {
  /// The longest space name, in bytes.
  public static let spaceNameBytesMax = 63
  /// The longest type name, in bytes.
  public static let typeNameBytesMax = 63
  /// The longest entity id, in bytes of UTF-8.
  public static let entityIDBytesMax = 128
  /// The longest principal name, in bytes of UTF-8.
  public static let principalBytesMax = 128
  /// The longest field path, in bytes.
  public static let fieldPathBytesMax = 255
  /// The longest segment of a field path, in bytes.
  public static let fieldSegmentBytesMax = 63
  /// The most fields one entity may have.
  public static let fieldsPerEntityMax = 512
  /// The most operations one patch may have.
  public static let operationsPerPatchMax = 512
  /// The most elements a list value may have.
  public static let listElementsMax = 10_000
  /// The largest entity, in bytes of its canonical encoding (`CanonicalFields`).
  public static let entityBytesMax = 1 << 20
  /// The deepest nesting of a JSON value.
  public static let jsonDepthMax = 32
  /// The most items one write request may have.
  public static let itemsPerRequestMax = 1_000
  /// The most keys one batch read may have.
  public static let keysPerBatchGetMax = 1_000
  /// What the items of one bulk may look up and make, in bytes of fields and half a KiB for each entity. The items that follow are aborted.
  public static let bulkBytesMax = 64 << 20
  /// The most bytes of a group's label.
  public static let groupBytesMax = 63
  /// The most entities one delete may change by the rules of references to it.
  public static let dependantsMax = 10_000
  /// The most entities an outcome names beside its own.
  public static let relatedEntitiesMax = 10
  /// The most broken rules that one outcome tells.
  public static let violationsPerOutcomeMax = 50
  /// The broken rules of one bulk after which each further outcome tells only `violationsPerOutcomeMin`.
  public static let violationsPerBulkMax = 2_000
  /// How many broken rules an outcome tells in any case.
  public static let violationsPerOutcomeMin = 2
  /// The most changes of one entity that a merge, or the story of a conflict, looks through.
  public static let historyPerConflictMax = 256
  /// The most bytes of fields that these changes have together, but for the last few.
  public static let historyBytesPerConflictMax = 16 << 20
  /// The most lines that the merges of texts of one bulk may compare, together. What comes after that is a conflict.
  public static let mergeStepsPerBulkMax = 20_000_000
  /// The most types one schema may have.
  public static let typesPerSchemaMax = 500
  /// The most parts one schema may have: types, fields, keys, fields of keys, allowed values, and elements of defaults together.
  public static let partsPerSchemaMax = 50_000
  /// The largest schema, in bytes of its encoding: what is applied must fit into an answer that tells it.
  public static let schemaBytesMax = 1 << 20
  /// The longest value in a schema, allowed or default, in bytes; of a default that is a list, the longest element.
  public static let schemaValueBytesMax = 4_096
  /// The longest summary of a type or field, in bytes of UTF-8.
  public static let summaryBytesMax = 1_000
  /// The greatest length that a rule of a schema can name.
  public static let lengthMax = Int(Int32.max)
  /// The most unique keys one type may have, and the most indexes.
  public static let keysPerTypeMax = 16
  /// The most fields one unique key or index may have.
  public static let fieldsPerKeyMax = 8
  /// The longest string or bytes in a unique key or index, in bytes.
  public static let keyFieldBytesMax = 512
  /// The most types one filter of a feed names.
  public static let typesPerFilterMax = 64
  /// The most fields of one type that a filter compares.
  public static let fieldsPerFilterMax = 16
  /// The largest filter of a feed, in bytes of its encoding.
  public static let filterBytesMax = 16 << 10
  /// The most items a page of a feed may be asked for.
  public static let itemsPerPageMax = 10_000
  /// The most bytes a page of a feed may be asked for.
  public static let bytesPerPageMax = 2 << 20
  /// The most revisions a space can have: engines keep them in 40 bits.
  public static let revisionMax: UInt64 = (1 << 40) - 1
}
