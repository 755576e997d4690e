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
  /// The most types one schema may have.
  public static let typesPerSchemaMax = 500
  /// The most parts one schema may have: types, fields, keys, fields of keys, allowed values, and elements of defaults together.
  public static let partsPerSchemaMax = 50_000
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
  /// The most revisions a space can have: engines keep them in 40 bits.
  public static let revisionMax: UInt64 = (1 << 40) - 1
}
