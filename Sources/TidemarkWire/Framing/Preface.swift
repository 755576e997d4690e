/// The first 8 bytes of a Tidemark connection, sent by the client.
///
/// ```
///  0                4       5       6        8
///  | 'T' 'D' 'M' 'K' | major | minor | flags  |
///  | 54  44  4D  4B  | 01    | u8    | u16 0  |
/// ```
///
/// `minor` is the highest minor version the client speaks; HELLO decides. `flags` are 0.
public enum Preface {
  /// The size of a preface.
  public static let bytes = 8
  /// `TDMK`, by which the codec of a connection is recognised.
  public static let magic: UInt32 = 0x5444_4D4B
  /// The version of the layout of frames.
  public static let major: UInt8 = 1
  /// The highest minor version that this code speaks.
  public static let minorMax: UInt8 = 0

  /// The preface of this code, as one big-endian number.
  public static let encoded: UInt64 = UInt64(magic) << 32 | UInt64(major) << 24 | UInt64(minorMax) << 16
}
