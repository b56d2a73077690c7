# As much of Zephyr's package as an application's CMakeLists.txt sees.
enable_language(C)
add_library(zephyr_interface INTERFACE)
file(WRITE ${CMAKE_BINARY_DIR}/empty.c "typedef int nothing;\n")
add_executable(zephyr_program ${CMAKE_BINARY_DIR}/empty.c)
add_library(app STATIC)
target_link_libraries(zephyr_program PRIVATE app)
