# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` installs: the program, the shared library with its headers and CMake package, manuals, licences,
# units for systemd.
# Included last: it needs the targets.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sonde)
set(install_file ${CMAKE_CURRENT_BINARY_DIR}/install)

# The program finds its library where both were installed to, without ldconfig.
file(RELATIVE_PATH library_from_program ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
if(TARGET sonde)
  set_target_properties(sonde PROPERTIES INSTALL_RPATH "$ORIGIN/${library_from_program}")
  install(TARGETS sonde RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

if(TARGET libsonde)
  set_target_properties(sonde_headers PROPERTIES EXPORT_NAME headers)
  install(TARGETS libsonde sonde_headers EXPORT sonde-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/sonde DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/abi/sonde DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
  install(EXPORT sonde-targets NAMESPACE sonde:: DESTINATION ${package_dir})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sonde-config.cmake.in ${install_file}/sonde-config.cmake
    INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(${install_file}/sonde-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${install_file}/sonde-config.cmake ${install_file}/sonde-config-version.cmake DESTINATION ${package_dir})
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN *.1)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/LICENSES DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Units name the program with its whole path, which is known when it is installed.
install(CODE "
  get_filename_component(SONDE_PROGRAM \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/sonde\" ABSOLUTE)
  foreach(unit sonde-proxy.service sonde-proxy@.service)
    configure_file(\"${PROJECT_SOURCE_DIR}/deploy/systemd/\${unit}.in\" \"${install_file}/\${unit}\" @ONLY)
  endforeach()")
install(FILES ${install_file}/sonde-proxy.service ${install_file}/sonde-proxy@.service
  ${PROJECT_SOURCE_DIR}/deploy/systemd/sonde-proxy.socket DESTINATION lib/systemd/system)
