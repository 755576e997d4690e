// swift-tools-version:6.2
import PackageDescription

/// The settings every target of this package is compiled with.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // Debug is what the tests and `make check` build; a release build never fails for what a later compiler finds.
  .treatAllWarnings(as: .error, .when(configuration: .debug)),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "tidemark",
  products: [
    .library(name: "TidemarkCore", targets: ["TidemarkCore"]),
    .library(name: "TidemarkClient", targets: ["TidemarkClient"]),
    .executable(name: "tidemarkd", targets: ["tidemarkd"]),
    .executable(name: "tidemark", targets: ["tidemark"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C boundary
    .systemLibrary(
      name: "CTidemarkProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(name: "CTidemarkSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CTidemarkZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CTidemarkWire", dependencies: ["CTidemarkProtobufC"]),
    .target(name: "CTidemarkPostgres"),

    // Pure: no I/O, no clock, no NIO, no Foundation
    .target(name: "TidemarkCore", swiftSettings: strict),

    // Bytes
    .target(
      name: "TidemarkWire",
      dependencies: ["TidemarkCore", "CTidemarkWire", "CTidemarkProtobufC", "CTidemarkZlib"],
      swiftSettings: strict),

    // Edges
    .target(
      name: "TidemarkTransport",
      dependencies: ["TidemarkWire", nioCore, nioPosix, logging],
      swiftSettings: strict),
    .target(name: "TidemarkStore", dependencies: ["TidemarkCore", crypto], swiftSettings: strict),
    .target(name: "TidemarkSQLite", dependencies: ["CTidemarkSQLite"], swiftSettings: strict),
    .target(
      name: "TidemarkStoreSQLite",
      dependencies: ["TidemarkCore", "TidemarkStore", "TidemarkSQLite"],
      swiftSettings: strict),

    .target(name: "TidemarkPostgres", dependencies: ["CTidemarkPostgres"], swiftSettings: strict),
    .target(
      name: "TidemarkStorePostgres",
      dependencies: ["TidemarkCore", "TidemarkStore", "TidemarkPostgres"],
      swiftSettings: strict),

    // Service
    .target(
      name: "TidemarkServer",
      dependencies: [
        "TidemarkCore", "TidemarkWire", "TidemarkTransport", "TidemarkStore", nioCore, nioPosix, logging, crypto,
      ],
      swiftSettings: strict),

    // Clients
    .target(
      name: "TidemarkClient",
      dependencies: ["TidemarkCore", "TidemarkWire", "TidemarkTransport", nioCore, nioPosix],
      path: "Clients/Swift/Sources/TidemarkClient",
      swiftSettings: strict),

    // Programs
    .executableTarget(
      name: "tidemarkd",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "TidemarkStoreSQLite", "TidemarkStorePostgres", "TidemarkServer", "TidemarkTransport",
        arguments, logging, yaml,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "tidemark",
      dependencies: [
        "TidemarkCore", "TidemarkWire", "TidemarkSQLite", "TidemarkPostgres", "TidemarkClient", arguments, crypto, yaml,
      ],
      swiftSettings: strict),

    // Benchmarks
    .systemLibrary(name: "CTidemarkEpoll", path: "Benchmarks/CTidemarkEpoll"),
    .executableTarget(
      name: "tidemark-bench",
      dependencies: ["TidemarkCore", "TidemarkWire", "CTidemarkEpoll"],
      path: "Benchmarks/TidemarkBench",
      swiftSettings: strict),
    .executableTarget(
      name: "writer-bench",
      dependencies: ["TidemarkCore", "TidemarkStore", "TidemarkStoreSQLite"],
      path: "Benchmarks/WriterBench",
      swiftSettings: strict),
    .executableTarget(
      name: "nio_echo", dependencies: [nioCore, nioPosix], path: "Benchmarks/limits",
      exclude: [
        "cpp_grpc_echo.cc", "pg_bulk.sql", "pg_bulk_tables.sql", "record.proto", "sqlite_insert.c", "sqlite_log.c",
      ],
      sources: ["nio_echo.swift"],
      swiftSettings: [.swiftLanguageMode(.v5)]),

    // Tests
    .testTarget(name: "TidyTests", dependencies: ["TidemarkTesting", "TidemarkTestTraits"], swiftSettings: strict),
    .target(
      name: "TidemarkTesting", dependencies: ["TidemarkCore", "TidemarkStore", "TidemarkSQLite", "TidemarkPostgres"],
      swiftSettings: strict),
    // Apart from the others: programs that are no tests are linked with those, and not with the test runner.
    .target(name: "TidemarkTestTraits", swiftSettings: strict),
    .target(
      name: "TidemarkDaemonTesting", dependencies: ["TidemarkCore", "TidemarkWire", "TidemarkTesting"], swiftSettings: strict),
    .target(
      name: "TidemarkSimulator",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "CTidemarkSQLite", "TidemarkStoreSQLite", "TidemarkStorePostgres", "TidemarkTesting",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "tidemark-sim", dependencies: ["TidemarkSimulator", "TidemarkTesting", arguments], swiftSettings: strict),
    .testTarget(
      name: "SimulatorTests",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "TidemarkStoreSQLite", "TidemarkTesting", "TidemarkTestTraits", "TidemarkSimulator",
      ],
      swiftSettings: strict),
    .testTarget(name: "TidemarkCoreTests", dependencies: ["TidemarkCore", "TidemarkTesting"], swiftSettings: strict),
    .testTarget(
      name: "TidemarkWireTests",
      dependencies: ["TidemarkCore", "TidemarkWire", "CTidemarkWire", "CTidemarkProtobufC", "TidemarkTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "TidemarkTransportTests",
      dependencies: [
        "TidemarkTransport", "TidemarkWire", "TidemarkTesting", nioCore, nioPosix,
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(name: "TidemarkSQLiteTests", dependencies: ["TidemarkSQLite", "TidemarkTesting"], swiftSettings: strict),
    .testTarget(
      name: "TidemarkStoreSQLiteTests",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "CTidemarkSQLite", "TidemarkSQLite", "TidemarkStoreSQLite", "TidemarkTesting",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TidemarkStorePostgresTests",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "TidemarkPostgres", "TidemarkStorePostgres", "TidemarkTesting", "TidemarkTestTraits",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "DaemonTests",
      dependencies: [
        "TidemarkCore", "TidemarkWire", "TidemarkStore", "TidemarkSQLite", "TidemarkStoreSQLite", "TidemarkPostgres",
        "TidemarkStorePostgres", "TidemarkTesting", "TidemarkDaemonTesting", "TidemarkTestTraits",
        "CTidemarkZlib",
        "tidemarkd",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TidemarkStoreTests",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "TidemarkSQLite", "TidemarkStoreSQLite", "TidemarkStorePostgres", "TidemarkTesting",
        "TidemarkTestTraits",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TidemarkServerTests",
      dependencies: [
        "TidemarkCore", "TidemarkStore", "TidemarkTransport", "TidemarkWire", "TidemarkServer", "TidemarkTesting", nioCore,
        .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ConfigurationTests", dependencies: ["TidemarkStorePostgres", "tidemarkd", arguments], swiftSettings: strict),
    .testTarget(
      name: "TidemarkClientTests",
      dependencies: [
        "TidemarkCore", "TidemarkWire", "TidemarkTransport", "TidemarkClient", "TidemarkTesting", "TidemarkTestTraits",
        "tidemarkd", nioCore, nioPosix,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TidemarkCommandTests",
      dependencies: ["TidemarkCore", "TidemarkWire", "TidemarkTesting", "TidemarkTestTraits", "tidemark", "tidemarkd"],
      swiftSettings: strict),
    .testTarget(
      name: "FoundingTests",
      dependencies: [
        "TidemarkCore", "TidemarkWire", "TidemarkStore", "TidemarkStorePostgres", "TidemarkTesting", "TidemarkTestTraits",
        "TidemarkDaemonTesting", "tidemark", "tidemarkd",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ClientsTests", dependencies: ["tidemarkd", "TidemarkTesting", "TidemarkTestTraits"], swiftSettings: strict),
  ]
)
