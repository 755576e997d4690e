// swift-tools-version:6.2
import PackageDescription

// A package of its own, because it compiles everything with the fuzzer's instrumentation, which needs unsafe flags.
// The folders below Sources are links to the code under test. `scripts/fuzz` builds and runs it.
let instrumented: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library", "-O", "-enable-testing"]),
]
let instrumentedC: [CSetting] = [.unsafeFlags(["-fsanitize=fuzzer-no-link,address", "-O1"])]
let fuzzer: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address"])]

let package = Package(
  name: "tidemark-fuzz",
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "CTidemarkProtobufC", pkgConfig: "libprotobuf-c"),
    .systemLibrary(name: "CTidemarkZlib", pkgConfig: "zlib"),
    .target(name: "CTidemarkFuzz"),
    .target(name: "CTidemarkWire", dependencies: ["CTidemarkProtobufC"], cSettings: instrumentedC),
    .target(name: "TidemarkCore", swiftSettings: instrumented),
    .target(
      name: "TidemarkWire", dependencies: ["TidemarkCore", "CTidemarkWire", "CTidemarkProtobufC", "CTidemarkZlib"],
      swiftSettings: instrumented),
    .target(
      name: "TidemarkTransport",
      dependencies: [
        "TidemarkWire", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: instrumented),
    .executableTarget(
      name: "tidemark-fuzz-messages", dependencies: ["CTidemarkFuzz", "TidemarkCore", "TidemarkWire"],
      swiftSettings: instrumented,
      linkerSettings: fuzzer),
    .executableTarget(
      name: "tidemark-fuzz-frames",
      dependencies: ["CTidemarkFuzz", "TidemarkWire", "TidemarkTransport", .product(name: "NIOCore", package: "swift-nio")],
      swiftSettings: instrumented, linkerSettings: fuzzer),
  ]
)
