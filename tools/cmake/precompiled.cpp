// Owns the precompiled header: CMake makes one only beside a source that it compiles.
