/// Every limit of the wire, in one place. Values that a deployment may change are defaults of `ServerLimits` in TidemarkTransport.
public enum WireLimits {
  /// The port tidemarkd listens on unless told otherwise.
  public static let portDefault = 8433
  /// The payload of one frame, in bytes, before HELLO says otherwise.
  public static let frameBytesDefault = 64 * 1024
  /// The smallest frame limit a HELLO may state, in bytes.
  public static let frameBytesMin = 16 * 1024
  /// The largest frame limit a HELLO may state, in bytes.
  public static let frameBytesMax = 4 * 1024 * 1024
  /// One message after decompression, in bytes.
  public static let messageBytesMax = 4 * 1024 * 1024
  /// The metadata of one call, in bytes.
  public static let metadataBytesMax = 8 * 1024
  /// The pairs in the metadata of one call.
  public static let metadataEntriesMax = 64
  /// One key in the metadata of a call, in bytes.
  public static let metadataKeyBytesMax = 64
  /// The compressions in a HELLO.
  public static let helloCompressionsMax = 16
  /// The digest of .proto files in a HELLO, in bytes.
  public static let schemaHashBytesMax = 64
  /// The details of one status.
  public static let statusDetailsMax = 64
  /// The deepest nesting of messages.
  public static let messageDepthMax = 16
  /// The most sub-messages and repeated elements in one message.
  public static let messageElementsMax = 100_000
  /// The most sub-messages and repeated elements in all items of one bulk together.
  public static let bulkElementsMax = 400_000
  /// The label of a group of a bulk, in bytes.
  public static let groupLabelBytesMax = 63
  /// The most sub-messages and repeated elements in one answer that a client asked for: every field of many small entities counts.
  public static let answerElementsMax = 1_000_000
  /// The memory that decoding one message may take, in bytes.
  public static let decodedBytesMax = 32 * 1024 * 1024
  /// The memory that a client lets the decoding of one answer take, in bytes.
  public static let answerDecodedBytesMax = 256 * 1024 * 1024
  /// The grants of one token.
  public static let grantsPerTokenMax = 1_000
  /// The sealed cursor of a feed, in bytes.
  public static let cursorBytesMax = 512
  /// The debug text of a GOAWAY, in bytes.
  public static let goAwayDebugBytesMax = 256
  /// The software name in a HELLO, in bytes.
  public static let helloNameBytesMax = 128
  /// The smallest message worth compressing, in bytes.
  public static let compressedBytesMin = 1024
  /// The largest accepted ratio of inflated to compressed size.
  public static let inflationRatioMax = 100
}
