import Foundation
import NIOCore
import TidemarkCore
import TidemarkStore

extension StoreClock {
  /// The machine's clocks.
  static let system = StoreClock(
    now: { Timestamp(rawValue: Int64((Date().timeIntervalSince1970 * 1_000_000).rounded(.down))) },
    uptimeNanoseconds: { NIODeadline.now().uptimeNanoseconds })
}
